"""The effect of dependence within groups on a mean: intraclass correlation, design effect, cluster bootstrap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
# Picked values of a bootstrap that are in memory together: 6 MB with the values and their units.
PICKED = 2**18


def intraclass_correlation(values: Floats, labels: Labels) -> float:
    """Return ρ ≥ 0, the share of the variance that lies between groups, by one-way analysis of variance (Donner 1986).

    ρ is 0 where the values do not determine ρ: all groups have one value, there is one group, or there is no variance.
    """
    _, group, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    n, k = len(values), len(sizes)
    if k < 2 or n == k:
        return 0.0
    means = np.bincount(group, values) / sizes
    between = float(np.sum(sizes * (means - values.mean()) ** 2)) / (k - 1)
    within = float(np.sum((values - means[group]) ** 2)) / (n - k)
    size = (n - float(np.sum(sizes**2)) / n) / (k - 1)
    total = between + (size - 1) * within
    return max(0.0, (between - within) / total) if total > 0 else 0.0


def mean_size(labels: Labels) -> float:
    """Return the mean size of the group of a random document: m = Σ m_k² / n."""
    sizes = np.unique(labels, return_counts=True)[1]
    return float(np.sum(sizes.astype(np.float64) ** 2) / len(labels))


def design_effect(labels: Labels, rho: float) -> float:
    """Return the variance of a mean, relative to the variance for independent values: 1 + (m − 1) ρ (Kish 1965)."""
    return 1.0 + (mean_size(labels) - 1.0) * rho


def bootstrap_mean(
    values: Floats, labels: Labels, level: float, draws: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the percentile interval of the mean, from draws of whole groups with replacement.

    With one group for each value the interval is that of the plain bootstrap. An end is infinite where a value is infinite.

    Args:
        values: `[n]`, the values.
        labels: `[n]`, the group of each value.
        level: The probability of the interval, such as 0.95.
        draws: The number of draws.
        rng: The source of the draws.
    """
    _, group, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.bincount(group, values)
    k = len(sizes)
    means = np.empty(draws)
    for at in range(0, draws, 64):  # 64 draws at a time take 26 MB for 50,000 groups
        picked = rng.integers(k, size=(min(64, draws - at), k))
        means[at : at + len(picked)] = sums[picked].sum(axis=1) / sizes[picked].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap_ratio(
    values: Floats, units: Floats, level: float, draws: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the percentile interval of Σ values / Σ units, from draws of pairs (value, unit) with replacement.

    Args:
        values: `[n]`, finite values.
        units: `[n]`, the units of each value, such as its bytes; a draw without a unit is left out.
        level: The probability of the interval, such as 0.95.
        draws: The number of draws.
        rng: The source of the draws.
    """
    n = len(values)
    found = np.empty(draws)
    step = max(1, PICKED // n)
    for at in range(0, draws, step):
        picked = rng.integers(n, size=(min(step, draws - at), n))
        with np.errstate(invalid="ignore", divide="ignore"):
            found[at : at + len(picked)] = values[picked].sum(axis=1) / units[picked].sum(axis=1)
    low, high = np.quantile(found[np.isfinite(found)], [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


class Groups:
    """A partition of n items (union–find), in which two groups at a time are joined. Local to one computation."""

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))

    def _root(self, i: int) -> int:
        parent = self._parent
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    def together(self, i: int, j: int) -> bool:
        """Return whether two items are in one group."""
        return self._root(i) == self._root(j)

    def join(self, i: int, j: int) -> None:
        """Join the groups of two items."""
        a, b = self._root(i), self._root(j)
        self._parent[max(a, b)] = min(a, b)

    def labels(self) -> Labels:
        """Return the smallest item of each item's group, `[n]`."""
        return np.array([self._root(i) for i in range(len(self._parent))], dtype=np.int64)
