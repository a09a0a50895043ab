"""Running bounds on log P of the beginnings of a text, and the terms whose sums they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Logs = NDArray[np.float64]


def terms_of_bounds(least: Logs, most: Logs, before: float, logp: Logs) -> tuple[Logs, Logs]:
    """`Trace.low` and `Trace.high` of one path: bounds on log P(x_s … x_i | x_<s), as terms.

    Args:
        least: `[n]`, a lower bound of log P(x_≤i) for each position i ≥ s.
        most: `[n]`, an upper bound.
        before: An upper bound of log P(x_<s), on the same scale.
        logp: `[n]`, the terms of the law that is computed. The bounds are widened, where that is needed, to hold their
            running sums, too.

    Behind a prefix that cannot be, everything can: the bounds are −∞ and 0.
    """
    if not len(logp):
        return np.zeros(0), np.zeros(0)
    if before == -np.inf:
        return terms_of_sums(np.full(len(logp), -np.inf)), np.zeros(len(logp))
    whole = np.cumsum(logp)
    return terms_of_sums(np.minimum(least - before, whole)), terms_of_sums(np.maximum(most - before, whole))


def terms_of_sums(running: Logs, first: float = 0.0) -> Logs:
    """The terms whose running sums, from `first` on, are given, `[n]`; two equal neighbours, −∞ and −∞ too, give 0."""
    before = np.concatenate([[first], running[:-1]])
    with np.errstate(invalid="ignore"):
        return np.where(running == before, 0.0, running - before)


def unknown_terms(logp: Sequence[Logs]) -> tuple[tuple[Logs, ...], tuple[Logs, ...]]:
    """`Trace.low` and `Trace.high` of paths of which nothing is certain: 0 ≤ P ≤ 1."""
    return tuple(terms_of_sums(np.full(len(p), -np.inf)) for p in logp), tuple(np.zeros(len(p)) for p in logp)
