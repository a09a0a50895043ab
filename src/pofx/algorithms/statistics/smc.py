"""Sequential Monte Carlo: the selection of weighted particles, and the estimate from independent runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import logsumexp

Ints = NDArray[np.int64]
Logs = NDArray[np.float64]


def thinned(weights: NDArray[np.float64], n: int, u: float) -> tuple[Ints, Ints, Logs]:
    """Choose about n of the candidates with weights w ≥ 0, none of them twice.

        P(a candidate is chosen) = min(1, c w), where c makes the probabilities sum to n (Fearnhead & Clifford 2003)

    A candidate of probability 1 is always chosen. The others are chosen by a systematic draw in their order. A weight
    divided by its probability has the same expectation, so sums over the chosen candidates are unbiased. If at most n
    weights are positive, all of these candidates are chosen.

    Args:
        weights: `[rows, k]`, the weights w.
        n: The approximate number of candidates to choose.
        u: One uniform number in [0, 1).

    Returns:
        The row, the column, and the log of the probability of each chosen candidate.

    Right: `row, k, logp = thinned(w, 64, rng.random())`, then log w[row, k] − logp. Wrong: weights that are logarithms.
    """
    positive = np.count_nonzero(weights)
    if positive <= n:
        row, k = np.nonzero(weights)
        return row, k, np.zeros(len(row))
    kept, heavy = _probability(weights, n)
    light = np.where(heavy, 0.0, kept)
    row, k = np.nonzero(heavy)
    sums = light.sum(axis=1)
    points = u + np.arange(max(n - len(row), 0))
    edges = np.cumsum(sums)
    points = points[points < edges[-1]] if len(points) else points
    theirs = np.searchsorted(edges, points, side="right")
    rows, columns = [row], [k]
    for r in np.unique(theirs):
        inside = points[theirs == r] - (edges[r] - sums[r])
        steps = np.cumsum(light[r])
        last = np.flatnonzero(light[r])[-1]
        columns.append(np.minimum(np.searchsorted(steps, inside, side="right"), last))
        rows.append(np.full(len(inside), r))
    row, k = np.concatenate(rows), np.concatenate(columns)
    return row, k, np.log(kept[row, k])


def _probability(weights: NDArray[np.float64], n: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return min(1, c w) for each weight w, and whether it is 1; c grows while further candidates become certain."""
    heavy = np.zeros(weights.shape, dtype=np.bool_)
    k = 0
    while True:
        light = np.where(heavy, 0.0, weights)
        # Shares are computed before c, since c overflows where the light weights are very small.
        kept = light / max(float(light.sum()), np.finfo(np.float64).tiny) * (n - k)
        sure = heavy | (kept >= 1)
        now = int(np.count_nonzero(sure))
        if now == k:
            return np.where(heavy, 1.0, kept), heavy
        heavy, k = sure, now


@dataclass(frozen=True)
class Evidence:
    """The estimate of a sum Z from independent runs.

    Attributes:
        log: The log of the mean estimate of Z.
        se: The standard error of the mean, relative to Z.
        runs: log Z of each run.
    """

    log: float
    se: float
    runs: tuple[float, ...]


def evidence(runs: Logs) -> Evidence:
    """Return the estimate from log Z of R ≥ 2 runs, each unbiased for Z; its log is biased down by about se²/2."""
    total = float(logsumexp(runs) - math.log(len(runs)))
    if total == -math.inf:
        return Evidence(total, 0.0, tuple(runs.tolist()))
    relative = np.exp(runs - total)
    se = float(relative.std(ddof=1) / math.sqrt(len(runs)))
    return Evidence(total, se, tuple(runs.tolist()))


def effective(log_weights: Logs) -> float:
    """Return the effective sample size (Σ w)² / Σ w²: the number of equal weights that would be as good; 0 for none."""
    if not len(log_weights) or np.isneginf(log_weights.max()):
        return 0.0
    w = np.exp(log_weights - log_weights.max())
    return float(w.sum() ** 2 / np.sum(w**2))
