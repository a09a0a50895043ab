"""The measured error of a model in integers of 8 bits, which its terms state."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pofx.errors import BadSource, PofxError, require

require("torch", "hf", "a pretrained model")

import numpy as np

from pofx.corpus.builtin import builtin_documents
from pofx.files.atomic import write_atomically
from pofx.files.cache import PROBES, cache_dir
from pofx.files.json_file import read_object
from pofx.lm.trace import Ints
from pofx.models.pretrained.model import PretrainedLM
from pofx.models.pretrained.probe import probe_ids

# 8 docstrings of up to 64 tokens: 512 tokens, 4 CPU seconds for SmolLM2 in both precisions.
TEXTS, LENGTH = 8, 64
_MOST_MEMORY = 1 << 16


@dataclass(frozen=True)
class Rounding:
    """The error of log p of a token, in integers less in float32, on the probe corpus, nats.

    Float32 itself is within 1e-5 nats a token of float64.

    Attributes:
        mean: The average size of the error.
        worst: The largest size.
        bias: The average of the signed error.
        tokens: The number of tokens.
    """

    mean: float
    worst: float
    bias: float
    tokens: int


def known_or_measured(fact: str, lm: PretrainedLM, plain: Callable[[], PretrainedLM]) -> Rounding:
    """Return the error that the cache keeps under a fact, else measure the error and keep it.

    Args:
        fact: The weights, the code, torch and the processor, as `agreement` names them.
        lm: The model in integers.
        plain: A function that reads the model in float32.
    """
    path = cache_dir() / PROBES / f"rounding-{hashlib.sha256(fact.encode()).hexdigest()}.json"
    found = _kept(path)
    if found is None:
        found = measure(lm, plain())
        with suppress(OSError):
            write_atomically(path, json.dumps(asdict(found)).encode("ascii"))
    return found


def measure(lm: PretrainedLM, plain: PretrainedLM) -> Rounding:
    """Measure the error of a model in integers on the probe corpus, against the same model in float32."""
    paths = _probe_corpus(plain)
    pairs = zip(lm.forward(paths, skip=1).logp, plain.forward(paths, skip=1).logp)
    off = np.concatenate([a - b for a, b in pairs])
    off = off[np.isfinite(off)]  # a masked row has the log p −∞ in both
    size = np.abs(off)
    if not len(off):
        return Rounding(0.0, 0.0, 0.0, 0)
    return Rounding(float(size.mean()), float(size.max()), float(off.mean()), len(off))


def _probe_corpus(lm: PretrainedLM) -> list[Ints]:
    """Return docstrings of the Python standard library as ids; random ids where the tokenizer spells none of them."""
    most = min(LENGTH, lm.context or LENGTH)
    out: list[Ints] = []
    documents = sorted(builtin_documents(), key=len, reverse=True)[: 16 * TEXTS : 4]
    for text in documents:
        with suppress(PofxError):  # a tokenizer that would change this text
            ids = np.asarray(lm.vocab.encode(text[: 16 * most])[:most], dtype=np.int64)
            if len(ids) > 1:
                out.append(ids)
        if len(out) == TEXTS:
            break
    return out or [probe_ids(lm.vocab.size, most)]


def _kept(path: Path) -> Rounding | None:
    try:
        found = read_object(path, _MOST_MEMORY)
        mean, worst, bias = (float(found[name]) for name in ("mean", "worst", "bias"))
        tokens = int(found["tokens"])
    except (BadSource, ValueError, KeyError, TypeError, OverflowError):
        return None
    good = mean >= 0 and all(map(math.isfinite, (mean, worst, bias)))
    return Rounding(mean, worst, bias, tokens) if good else None
