"""Whether a model still gives the numbers that it gave when the server started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.lm.model import LM
from pofx.lm.trace import Want
from pofx.server.batching.calls import computed_afresh

# How many tokens the golden path has, and by how many nats a token may move with the company in its batch.
LENGTH, CLOSE = 8, 1e-5


@dataclass(frozen=True)
class Golden:
    """A path of a model, and the log-probability of each of its tokens.

    Attributes:
        path: The token ids.
        skip: How many positions have no log-probability: 1 where the model has no x0, else 0.
        logp: The log-probabilities that the model gave at the start of the server, nats.
    """

    path: tuple[int, ...]
    skip: int
    logp: NDArray[np.float64]

    def distance(self, lm: LM) -> float:
        """Return the largest difference of a token's log p from its value at the start of the server, nats."""
        return moved_by(_read(lm, self.path, self.skip), self.logp)


def moved_by(now: NDArray[np.float64], then: NDArray[np.float64]) -> float:
    """Return the largest difference of two arrays of log-probabilities, nats; −∞ in both arrays is no difference."""
    moved = now != then
    return float(np.max(np.abs(now[moved] - then[moved]), initial=0.0))


def golden(lm: LM) -> Golden:
    """Read a path that every vocabulary has: tokens that spell something, spread over all ids."""
    spelled = [i for i, spelling in enumerate(lm.vocab.token_bytes) if spelling]
    step = max(1, len(spelled) // LENGTH)
    path = tuple(spelled[::step][: min(LENGTH, lm.context or LENGTH)])
    skip = int(lm.begin.known == "none")
    return Golden(path, skip, _read(lm, path, skip))


def _read(lm: LM, path: Sequence[int], skip: int) -> NDArray[np.float64]:
    with computed_afresh():
        return lm.forward([path], Want(), skip).logp[0]
