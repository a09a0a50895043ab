"""Permutation tests: the rank of an observed statistic among its values for shuffled orders."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def p_value(found: float, shuffled: NDArray[np.float64]) -> float:
    """Return p = (1 + #{shuffles at least as large}) / (M + 1); if all orders are equally likely, P(p ≤ u) ≤ u for all u.

    The test is exact for any M and any statistic (Phipson & Smyth 2010). A tie counts as at least as large; a relative
    difference of 1e-12 is rounding, and so a tie.

    Args:
        found: The statistic of the observed order.
        shuffled: `[M]`, the statistic of each shuffle.
    """
    return float((1 + np.sum(shuffled >= found - 1e-12 * max(1.0, abs(found)))) / (len(shuffled) + 1))


def paired_p_value(
    table: NDArray[np.float64], shuffles: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Test whether the partners of each pair are more alike than random partners.

    Args:
        table: `[n, n]`, the similarity of each left partner to each right partner; the pairs are on the diagonal.
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
