"""The vocabulary of a checkpoint, whose EOS the caller or the files name."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from pofx.errors import BadSource
from pofx.files.json_file import read_object
from pofx.models.pretrained.checkpoint.rules import CONFIG, GGUF_CARD, MAX_CONFIG, MAX_GGUF_CARD, Checkpoint
from pofx.transforms.with_begin import token_id
from pofx.vocab.tokenizer.checkpoint_files import read_tokenizer
from pofx.vocab.tokenizer.end_token import choose_end
from pofx.vocab.tokenizer.vetting import vet
from pofx.vocab.tokenizer.vocabulary import TokenizerVocab

GENERATION = "generation_config.json"


def read_vocab(checkpoint: Checkpoint, rows: int, end: str | int | None) -> TokenizerVocab:
    """Return the vocabulary of a checkpoint whose distribution has `rows` outcomes.

    Args:
        checkpoint: The checked files.
        rows: The number of outcomes.
        end: The token that ends texts, by text or id. The token may spell text, which other tokens then spell. None lets
            `choose_end` weigh the files, and a warning reports where the files disagree.

    Right: `read_vocab(checkpoint, lm_head_rows, None)`. Wrong: `read_vocab(checkpoint, config["vocab_size"], None)` where
    the head has more rows.
    """
    folder = checkpoint.directory
    control = _control_of_gguf(folder, rows)
    vet(folder, rows, control)
    vocab = read_tokenizer(folder, rows, None, control)
    named = {
        CONFIG: _ids(checkpoint.config.get("eos_token_id"), folder / CONFIG),
        GENERATION: _ids(_generation(folder).get("eos_token_id"), folder / GENERATION),
    }
    found = choose_end(vocab, named)
    chosen = found.id if end is None else token_id(vocab, end, "end")
    if end is None and found.note:
        warnings.warn(f"{folder}: {found.note}", RuntimeWarning, stacklevel=2)
    # A name such as "</s>" that one file calls EOS is still no text, though another token ends texts.
    old = found.id
    if old not in (None, chosen, vocab.declared.get("eos")) and vocab.token_bytes[old] is not None:
        control.append(old)
    elif chosen is None or vocab.token_bytes[chosen] is None:
        return vocab.with_end(chosen)
    return read_tokenizer(folder, rows, chosen, control)


def _control_of_gguf(folder: Path, rows: int) -> list[int]:
    """Return the control tokens that a GGUF file listed, as the card of its conversion has them."""
    card = folder / GGUF_CARD
    found = read_object(card, MAX_GGUF_CARD, infinite=True).get("control", []) if card.is_file() else []
    return [i for i in found if type(i) is int and 0 <= i < rows]


def _generation(folder: Path) -> dict[str, Any]:
    path = folder / GENERATION
    return read_object(path, MAX_CONFIG, infinite=True) if path.is_file() else {}


def _ids(found: object, path: Path) -> list[int]:
    """Return the ids in a value that is an id, a list of ids, or null."""
    ids: list[Any] = found if isinstance(found, list) else [] if found is None else [found]
    wrong = next((i for i in ids if type(i) is not int), None)
    if wrong is not None:
        raise BadSource(
            f"{path}: expected an id or a list of ids for eos_token_id, got {found!r:.60}",
            "write the id of the token that ends texts",
        )
    return ids
