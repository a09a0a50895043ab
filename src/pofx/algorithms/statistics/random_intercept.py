"""Linear regression with a random intercept for each group, by maximum likelihood.

    y = x·β + u_g + ε,   u_g ~ N(0, λσ²),   ε ~ N(0, σ²)

Given λ, the best β and σ² have a closed form, so the likelihood is maximised over λ alone (the profile likelihood).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# log λ is searched between these ends, first at whole numbers; λ = 0 is tried, too.
_LOW, _HIGH = -12, 9
_GOLDEN = (math.sqrt(5) - 1) / 2
# So many steps leave an interval of 2 · 0.618⁴⁰ = 1e-8.
_STEPS = 40


@dataclass(frozen=True, eq=False)
class InterceptFit:
    """A fitted regression.

    Attributes:
        slopes: β, `[k]`.
        variance: σ².
        ratio: λ, the variance of the intercepts over σ²; 0 without groups.
        intercepts: The expected intercept of each group, given its rows, `[g]`; 0 for a group without rows.
        log_likelihood: The log-density of all rows, nats.
    """

    slopes: Floats
    variance: float
    ratio: float
    intercepts: Floats
    log_likelihood: float

    def log_density(self, x: Floats, y: Floats, groups: Ints) -> Floats:
        """Return log N(y; x·β + u_g, σ²) of each row, nats, `[n]`, with the expected intercept of its group.

        Args:
            x: The predictors, `[n, k]`.
            y: The responses, `[n]`.
            groups: The group of each row, from 0, `[n]`.
        """
        rest = y - x @ self.slopes - self.intercepts[groups]
        return -0.5 * (math.log(2 * math.pi * self.variance) + rest * rest / self.variance)


def fit_intercepts(x: Floats, y: Floats, groups: Ints, n_groups: int, fixed: bool = False) -> InterceptFit:
    """Fit a regression with a random intercept for each group.

    Args:
        x: The predictors, `[n, k]`; a column of ones is the common intercept. Columns of about one size lose no digits.
        y: The responses, `[n]`, of which some differ from x·β for every β.
        groups: The group of each row, from 0, `[n]`.
        n_groups: The number of groups, rows or none.
        fixed: Whether λ is 0, so that this is ordinary least squares.

    Returns:
        The fit.
    """
    of = _Sums.of(x, y, groups, n_groups)
    best = max(
        [0.0, *(math.exp(t) for t in range(_LOW, _HIGH))] if not fixed else [0.0], key=of.log_likelihood
    )
    if best > 0:
        low, high = math.log(best) - 1, math.log(best) + 1
        for _ in range(_STEPS):
            a, b = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
            if of.log_likelihood(math.exp(a)) < of.log_likelihood(math.exp(b)):
                low = a
            else:
                high = b
        best = math.exp((low + high) / 2)
    slopes, variance = of.solve(best)
    pull = best * of.sizes / (1 + best * of.sizes)
    means = (of.y - of.x @ slopes) / np.maximum(of.sizes, 1)
    return InterceptFit(slopes, variance, best, pull * means, of.log_likelihood(best))


@dataclass(frozen=True, eq=False)
class _Sums:
    """The sums over rows that the likelihood depends on: xᵀx, xᵀy, yᵀy, and the sizes and sums of x and y of each group."""

    xx: Floats
    xy: Floats
    yy: float
    n: int
    sizes: Floats
    x: Floats
    y: Floats

    @classmethod
    def of(cls, x: Floats, y: Floats, groups: Ints, n_groups: int) -> _Sums:
        sizes = np.bincount(groups, minlength=n_groups).astype(np.float64)
        columns = [np.bincount(groups, weights=c, minlength=n_groups) for c in x.T]
        of_y = np.bincount(groups, weights=y, minlength=n_groups).astype(np.float64)
        return cls(x.T @ x, x.T @ y, float(y @ y), len(y), sizes, np.stack(columns, axis=1), of_y)

    def solve(self, ratio: float) -> tuple[Floats, float]:
        """Return the best β and σ² for a λ.

        The inverse of I + λ11ᵀ, of a group of m rows, is I − λ/(1+λm) 11ᵀ. So each group takes its sums away from those of
        all rows.
        """
        share = ratio / (1 + ratio * self.sizes)
        xx = self.xx - (self.x * share[:, None]).T @ self.x
        xy = self.xy - self.x.T @ (share * self.y)
        yy = self.yy - float(share @ (self.y * self.y))
        slopes = np.linalg.lstsq(xx, xy, rcond=1e-12)[0].astype(np.float64)
        return slopes, max(yy - float(slopes @ xy), 0.0) / self.n

    def log_likelihood(self, ratio: float) -> float:
        """Return the log-density of all rows with the best β and σ² for a λ, nats."""
        _, variance = self.solve(ratio)
        if variance <= 0:
            return -math.inf
        widths = float(np.log1p(ratio * self.sizes).sum())
        return -0.5 * (self.n * (math.log(2 * math.pi * variance) + 1) + widths)
