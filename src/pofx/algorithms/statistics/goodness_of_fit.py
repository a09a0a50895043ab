"""A test whether counts come from a distribution: Pearson's statistic, compared with draws from the distribution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

# Outcomes with a smaller expected count are merged into one outcome: Pearson's statistic of a rare one is heavy-tailed.
LEAST = 5.0
DRAWS = 4_999


def fit_p_value(tables: Sequence[tuple[Counts, Floats]], rng: np.random.Generator) -> float:
    """Compute the probability that counts drawn from the distributions fit no better than the given counts.

        X² = Σ (observed − expected)² / expected, summed over all outcomes of all tables

    Args:
        tables: For each distribution the counts `[K]` of its outcomes, and their probabilities `[K]`, which sum to 1.
        rng: The source of the 4,999 draws with which the statistic is compared.

    Returns:
        The p-value, at least 1/5,000; 0 where an outcome of probability zero was observed; 1 without a table.

    Right: counts of 400 draws of one distribution. Wrong: probabilities that were estimated from the same counts.
    """
    observed, drawn = 0.0, np.zeros(DRAWS)
    for counts, p in tables:
        if np.any(counts[p <= 0] > 0):
            return 0.0
        n = int(counts.sum())
        rare = p * n < LEAST
        merged = np.append(p[~rare], p[rare].sum())
        seen = np.append(counts[~rare], counts[rare].sum())
        expected = n * merged / merged.sum()
        known = expected > 0
        observed += float((((seen - expected) ** 2)[known] / expected[known]).sum())
        other = rng.multinomial(n, merged / merged.sum(), DRAWS)
        drawn += (((other - expected) ** 2)[:, known] / expected[known]).sum(axis=1)
    # The sums differ in their last digits with the order of summation.
    return float((1 + np.sum(drawn >= observed * (1 - 1e-9))) / (1 + DRAWS))
