"""The probe: a string of random ids, by which pofx's numbers are compared with those of the library's forward pass."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import hashlib
import json
import platform
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
from pofx.models.pretrained.checkpoint.architecture import Architecture
from pofx.models.pretrained.checkpoint.library_calls import library_logits
from pofx.models.pretrained.inference.body import Body
from pofx.models.pretrained.inference.head import Head
from pofx.models.pretrained.model import PretrainedLM
from pofx.vocab.vocabulary import Vocab

# The bound for pofx's decoder, nats a token in float32. Two implementations of a decoder differ by 4e-5 (SmolLM2), and by
# 2e-4 for a model with huge activations. A wrong rotation or norm moves log p by tenths of a nat.
DECODER = 5e-4
# The bound for pofx's head on the library's body. A missed soft cap moves small logits by 4e-4. Large logits are rounded by
# a share of their size.
HEAD, ROUNDED = 1e-5, 4e-7
# The bound for a text and a longer text. Rounding is below 2e-4, and a model that looks ahead moves log p by whole nats.
AHEAD = 1e-3
# The bound for pofx's decoder in bfloat16 against float32, which differ by 0.12 nats a token on average, and by up to 2. The
# decoder in float32 was compared before.
BFLOAT16 = 2.0
# The bound for pofx's decoder in integers against float32.
INT8 = 0.2
SHORT, FAR, LONG = 24, 300, 1024
_MOST_MEMORY = 1 << 20


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """The result of the comparison that was made when a checkpoint was first read in float32.

    Attributes:
        logp: The library's log p of the tokens of the probe, nats.
        reader: The reader of the checkpoint after the comparison: "decoder" (pofx's), "head" (the library's body and pofx's
            head) or "whole" (the library's logits).
    """

    logp: Floats
    reader: str


def probe_ids(rows: int, tokens: int) -> Ints:
    """Return the ids of the probe, spread over a vocabulary of `rows` ids."""
    return np.random.default_rng(0).integers(0, rows, tokens)


@torch.inference_mode()
def library_logp(model: Any, ids: Ints, where: Path) -> tuple[Floats, float]:
    """Compute log p of ids[1:] by the library's logits, nats, the softmax in float64, and the size of the largest logit.

    The error of a library that cannot run the model names the files `where`.
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
    """Return how much log p of a token changes with later tokens, nats, and the length of the text that shows the change.

    The function compares one pass over a short text with one `extend` for each token, and one pass over a longer text with
    passes over its parts. The numbers of a causal model differ by rounding only.
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
    """Return the largest difference of two rows; ∞ where only one number of a pair is finite, or a number is nan."""
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
        """Raise an error, since the ids of the probe spell no text."""
        raise NotImplementedError


def recall(fingerprint: str) -> ProbeResult | None:
    """Return the remembered result for a checkpoint; None where the checkpoint was not read before."""
    try:
        found = read_object(_path(fingerprint), _MOST_MEMORY, infinite=True)  # a masked row has the log p −∞
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


def agreement(fingerprint: str, shape: Architecture, dtype: str) -> str:
    """Return the fact that the decoder agreed with the probe: for these weights, this code, torch and processor.

    The fact is kept by `pofx.files.cache.remember`. It spares a pass, 0.3 of the 2.3 CPU seconds in which SmolLM2 is read.
    """
    code = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        code.update(path.read_bytes())
    processor = f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    return f"probe {_path(fingerprint).name} {dtype} {code.hexdigest()} torch-{version('torch')} {processor} {shape}"


def _path(fingerprint: str) -> Path:
    # Other versions of pofx or transformers may have other results, so the path names both versions.
    versions = f"pofx-{version('pofx')}-transformers-{version('transformers')}"
    return cache_dir() / PROBES / f"{fingerprint}-{versions}.json"
