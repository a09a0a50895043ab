"""A saved mixing model: the memory and the text in model.safetensors, the sizes in config.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from pofx.files.tensor_file import write_tensors
from pofx.models.mixing.layout import LEAST_BITS, MOST_BITS, layout
from pofx.models.mixing.learned import Learned
from pofx.models.mixing.model import MixingLM
from pofx.models.saved_table import SavedTable, open_table
from pofx.vocab.vocabulary import ByteVocab, Vocab

MODEL_TYPE = "pofx-mixing"


def to_files(lm: MixingLM, directory: Path) -> None:
    """Write config.json and model.safetensors.

    Args:
        lm: The model.
        directory: The directory of both files, which exists.
    """
    learned = lm.learned
    write_tensors(directory / "model.safetensors", {"memory": learned.memory, "text": learned.text})
    config = {
        "model_type": MODEL_TYPE,
        "bits": learned.layout.bits,
        "vocab_size": lm.vocab.size,
        "bos_token_id": lm.begin.id,
        "eos_token_id": lm.vocab.end,
    }
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def from_files(directory: Path, config: dict[str, Any], vocab: Vocab, begin: bool) -> MixingLM:
    """Read the files that `to_files` wrote. The memory is mapped from the file, so that processes share one copy.

    Args:
        directory: The directory of both files.
        config: The content of config.json.
        vocab: The vocabulary of the model.
        begin: Whether the model has an x0.

    Returns:
        The model, with the bits that were written.

    Raises:
        BadSource: A file is damaged, or disagrees with the others.
    """
    saved = open_table(directory, config, vocab, begin, "memory")
    if not isinstance(vocab, ByteVocab) or vocab.end is None or not begin:
        raise saved.refuse("a model without bytes, x0 or EOS")
    bits = config.get("bits")
    if type(bits) is not int or not LEAST_BITS <= bits <= MOST_BITS:
        raise saved.refuse(f"bits {bits!r:.40} in config.json")
    at = layout(bits)
    learned = Learned(
        at, saved.column("memory", np.int32, (at.size,)), saved.column("text", np.uint8, (None,))
    )
    _check_indexes(saved, learned)
    return MixingLM(learned)


def _check_indexes(saved: SavedTable, learned: Learned) -> None:
    """Check the numbers by which compiled code indexes arrays without a check of its own."""
    at, memory = learned.layout, learned.memory
    for name, part, least, most in (
        ("the histories of bits", memory[at.maps : at.order0] & 0x3FF, 0, 255),
        ("order 0", memory[at.order0 : at.matched], 0, 65535),
        ("the match", memory[at.matched : at.ended], 0, (65535 << 8) | 255),
        ("the places", memory[at.latest :], 0, len(learned.text)),
    ):
        if part.min() < least or part.max() > most:
            raise saved.refuse(f"a number of {name} out of its range")
