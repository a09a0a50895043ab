"""Does our own decoder say what the library's forward says? Asked once a checkpoint, held against it at every load."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import json
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import numpy as np
import torch

from pofx.algorithms.logspace import Floats
from pofx.cache import cache_dir, write_atomically
from pofx.trace import Ints

# A wrong rotation or norm moves log p by tenths of a nat; float32 by 2e-4 where a model has huge activations, and
# bfloat16 by up to 2 a token, 0.12 on average.
BOUNDS = {"float32": 2e-3, "bfloat16": 2.0}
SHORT, LONG = 24, 1024


def probe(rows: int, tokens: int) -> Ints:
    """The ids of the probe, spread over a vocabulary of so many rows."""
    return np.random.default_rng(0).integers(0, rows, tokens)


def by_library(model: Any, ids: Ints) -> Floats:
    """log p of ids[1:] by `model(ids).logits`, nats, the softmax in float64."""
    with torch.inference_mode():
        z = model(input_ids=torch.from_numpy(ids)[None]).logits[0, :-1].double()
    logp = z.gather(1, torch.from_numpy(ids[1:])[:, None])[:, 0] - torch.logsumexp(z, 1)
    out: Floats = logp.numpy()
    return out


def remembered(fingerprint: str, tokens: int) -> Floats | None:
    """What the library said of a probe of so many tokens when it was asked last; None if it was not."""
    try:
        found = np.array(json.loads(_path(fingerprint).read_text())["logp"], dtype=np.float64)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found.shape == (tokens - 1,) and bool(np.isfinite(found).all()) else None


def remember(fingerprint: str, logp: Floats) -> None:
    """Keep what the library said; a cache that cannot be written costs time, no answer."""
    with suppress(OSError):
        write_atomically(_path(fingerprint), json.dumps({"logp": logp.tolist()}).encode("ascii"))


def _path(fingerprint: str) -> Path:
    # Asked anew of another version of the library, whose word it is.
    return cache_dir() / "probes" / f"2-{fingerprint}-transformers-{version('transformers')}.json"
