"""Bounds on log P of every prefix of a text, as terms whose running sums are the bounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Logs = NDArray[np.float64]


def terms_of_bounds(least: Logs, most: Logs, before: float, logp: Logs) -> tuple[Logs, Logs]:
    """Turn bounds of log P of each prefix into `Trace.low` and `Trace.high` of one path.

    After a prefix of probability 0 the bounds are −∞ and 0.

    Args:
        least: `[n]`, a lower bound of log P(x_≤i) for each position i ≥ s.
        most: `[n]`, an upper bound of log P(x_≤i).
        before: An upper bound of log P(x_<s), on the same scale.
        logp: `[n]`, the terms of the computed log P. Where a running sum of these terms lies outside the bounds, the
            bounds are widened to include that sum. s is the first position that counts.

    Returns:
        Terms of the lower and of the upper bound of log P(x_s … x_i | x_<s), `[n]` each.
    """
    if not len(logp):
        return np.zeros(0), np.zeros(0)
    if before == -np.inf:
        return terms_of_sums(np.full(len(logp), -np.inf)), np.zeros(len(logp))
    whole = np.cumsum(logp)
    return terms_of_sums(np.minimum(least - before, whole)), terms_of_sums(np.maximum(most - before, whole))


def terms_of_sums(running: Logs, first: float = 0.0) -> Logs:
    """Return the differences of running sums, `[n]`, the first from `first`; equal neighbours give 0, even −∞ and −∞."""
    before = np.concatenate([[first], running[:-1]])
    with np.errstate(invalid="ignore"):
        return np.where(running == before, 0.0, running - before)


def unknown_terms(logp: Sequence[Logs]) -> tuple[tuple[Logs, ...], tuple[Logs, ...]]:
    """Return `Trace.low` and `Trace.high` of paths of which only 0 ≤ P ≤ 1 is certain."""
    return tuple(terms_of_sums(np.full(len(p), -np.inf)) for p in logp), tuple(np.zeros(len(p)) for p in logp)
