"""Strings of random ids that are read in two ways: does our way say what the library's forward says?"""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pofx.errors import BadSource, require

require("torch", "hf", "a pretrained model")

import numpy as np
import torch

from pofx.algorithms.logspace import Floats
from pofx.files.atomic import write_atomically
from pofx.files.cache import PROBES, cache_dir
from pofx.files.json_file import read_object
from pofx.lm.forward_by_extension import forward_by_extension
from pofx.lm.trace import Ints, Want
from pofx.models.pretrained.checkpoint.library_calls import library_logits
from pofx.models.pretrained.inference.body import Body
from pofx.models.pretrained.inference.head import Head
from pofx.models.pretrained.model import PretrainedLM
from pofx.vocab.vocabulary import Vocab

# Nats a token, float32. Two implementations of a decoder differ by 4e-5 (SmolLM2), and by 2e-4 where a model has huge
# activations; a wrong rotation or norm moves log p by tenths of a nat.
DECODER = 5e-4
# Of one body and one head, the head read another way: a soft cap that is missed shows in small logits as 4e-4. Large
# logits are rounded, by a share of their size.
HEAD, ROUNDED = 1e-5, 4e-7
# Of a text and a longer one: rounding is below 2e-4, and what looks ahead moves log p by whole nats.
AHEAD = 1e-3
# Our decoder in bfloat16 against float32: 0.12 a token on average, up to 2. The float32 decoder was compared before.
BFLOAT16 = 2.0
SHORT, FAR, LONG = 24, 300, 1024
_MOST_MEMORY = 1 << 20


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """The result of the comparison that was made when a checkpoint was first read in float32.

    Attributes:
        logp: The library's log p of the tokens of the probe, nats.
        reader: The reader of the checkpoint from then on: "decoder" (ours), "head" (the library's body, our head) or
            "whole" (the library's logits).
    """

    logp: Floats
    reader: str


def probe_ids(rows: int, tokens: int) -> Ints:
    """Return the ids of the probe, spread over a vocabulary of so many rows."""
    return np.random.default_rng(0).integers(0, rows, tokens)


@torch.inference_mode()
def library_logp(model: Any, ids: Ints, where: Path) -> tuple[Floats, float]:
    """Compute log p of ids[1:] by the library's logits, nats, the softmax in float64, and the size of the largest logit.

    where: the files of the model, for the error of a library that cannot run it.
    """
    z = library_logits(model, torch.from_numpy(ids[:-1])[None], where)[0].double()
    logp = z.gather(1, torch.from_numpy(ids[1:])[:, None])[:, 0] - torch.logsumexp(z, 1)
    out: Floats = logp.numpy()
    finite = z[torch.isfinite(z)]
    return out, float(finite.abs().max()) if len(finite) else 0.0


def read_probe(body: Body, head: Head, ids: Ints) -> Floats:
    """Compute log p of ids[1:] by a body and a head in one pass, nats."""
    return _model(body, head).forward([ids], skip=1).logp[0]


def measure_lookahead(body: Body, head: Head, rows: int, context: int | None) -> tuple[float, int]:
    """How far log p of a token moves, nats, with what follows the token; and the length of the text that shows it.

    One pass over a short text against one `extend` a token; and of a longer text, one pass over parts of it. A causal
    model is off by rounding.
    """
    lm = _model(body, head)
    ids = probe_ids(rows, min(SHORT, context or SHORT))
    plain = lm.forward([ids], skip=1).logp[0]
    worst = largest_difference(plain, forward_by_extension(lm, [ids], Want(), 1).logp[0])
    if not worst <= AHEAD:
        return worst, len(ids)
    ids = probe_ids(rows, min(FAR, context or FAR))
    plain = lm.forward([ids], skip=1).logp[0]
    for part in {len(ids) // 2, len(ids) - 1}:
        if part > 1:
            worst = max(
                worst, largest_difference(plain[: part - 1], lm.forward([ids[:part]], skip=1).logp[0])
            )
    return worst, len(ids)


def largest_difference(a: Floats, b: Floats) -> float:
    """Return the largest difference, infinite where only one side is finite or any is nan."""
    with np.errstate(invalid="ignore"):
        off = np.where(a == b, 0.0, np.abs(a - b))
    return float(np.max(np.where(np.isnan(off), np.inf, off), initial=0.0))


def _model(body: Body, head: Head) -> PretrainedLM:
    return PretrainedLM(body, head, _Rows(head.size), None, "float32")


class _Rows(Vocab):
    """A vocabulary of ids alone, for the probe."""

    def __init__(self, size: int) -> None:
        self.size, self.end, self.token_bytes = size, None, (None,) * size

    def encode(self, text: str | bytes) -> list[int]:
        """Nothing is text here."""
        raise NotImplementedError


def recall(fingerprint: str) -> ProbeResult | None:
    """Return the remembered result for a checkpoint; None where the checkpoint was not read before."""
    try:
        found = read_object(
            _path(fingerprint), _MOST_MEMORY, infinite=True
        )  # -inf is the log p of a masked row
        logp, reader = np.array(found["logp"], dtype=np.float64), found["reader"]
    except (BadSource, ValueError, KeyError, TypeError):
        return None
    whole = logp.ndim == 1 and not bool(np.isnan(logp).any())
    return ProbeResult(logp, reader) if whole and reader in ("decoder", "head", "whole") else None


def remember(fingerprint: str, known: ProbeResult) -> None:
    """Remember a result in the cache; without a cache that can be written, the comparison is made at every load."""
    table = {"logp": known.logp.tolist(), "reader": known.reader}
    with suppress(OSError):
        write_atomically(_path(fingerprint), json.dumps(table).encode("ascii"))


def _path(fingerprint: str) -> Path:
    # Other versions of pofx or transformers may have other results, so they do not read this one.
    versions = f"pofx-{version('pofx')}-transformers-{version('transformers')}"
    return cache_dir() / PROBES / f"{fingerprint}-{versions}.json"
