"""Draws from categorical distributions by inversion of their distribution functions: one uniform number a distribution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import Floats

Ints = NDArray[np.int64]

# The most running sums in memory at a time: 32 MB in float64. A distribution is never cut, since a cut would change its
# sum.
NUMBERS = 1 << 22


def inverse(weights: Floats, u: NDArray[np.float64]) -> Ints:
    """Return the first outcome of each row whose running sum exceeds u times the sum of the row.

    Args:
        weights: `[n, V]`, at least 0; the probabilities of a row, or a multiple of them.
        u: `[n]`, one uniform number in [0, 1) for each row.

    Returns:
        One outcome for each row, `[n]`; 0 for a row without any mass.

    Right: `inverse(p, rng.random(len(p)))`. Wrong: weights that are logarithms; `inverse_of_logs` takes these.
    """
    out = np.zeros(len(weights), dtype=np.int64)
    for rows in _blocks(weights):
        sums = np.cumsum(weights[rows], axis=1)
        out[rows] = np.argmax(sums > (u[rows] * sums[:, -1])[:, None], axis=1)
    return out


def inverse_of_logs(logs: Floats, u: NDArray[np.float64]) -> Ints:
    """Return the outcomes of `inverse` for logarithms of weights `[n, V]`, with one block of rows in float64 at a time."""
    out = np.zeros(len(logs), dtype=np.int64)
    for rows in _blocks(logs):
        weights = logs[rows].astype(np.float64)
        out[rows] = inverse(np.exp(weights, out=weights), u[rows])
    return out


def _blocks(rows: Floats) -> list[slice]:
    n, size = rows.shape
    step = max(1, NUMBERS // max(size, 1))
    return [slice(lo, lo + step) for lo in range(0, n, step)]
