"""Permutation tests: how rare the order that was found is among all orders."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def p_value(found: float, shuffled: NDArray[np.float64]) -> float:
    """(1 + #{shuffles at least as large}) / (M + 1): where all orders are alike, P(p ≤ u) ≤ u for every u.

    Exact for any M, and for any statistic (Phipson & Smyth 2010). shuffled: the statistic of M shuffles. A tie counts
    against the finding; 1e-12 of it is rounding.
    """
    return float((1 + np.sum(shuffled >= found - 1e-12 * max(1.0, abs(found)))) / (len(shuffled) + 1))


def paired_p_value(
    table: NDArray[np.float64], shuffles: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Test whether partners belong together.

    Args:
        table: `[n, n]`, the likeness of each left partner to each right one; large is close.
        shuffles: The number of permutations.
        rng: The source of the permutations.

    Returns:
        The mean of the diagonal, its mean over shuffles, and the p-value.
    """
    n = len(table)
    rows = np.arange(n)
    null = np.array([table[rows, rng.permutation(n)].mean() for _ in range(shuffles)])
    found = float(np.trace(table) / n)
    return found, float(null.mean()), p_value(found, null)
