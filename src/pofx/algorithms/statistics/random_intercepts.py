"""Linear regression with a random intercept for each group of one factor or several, by maximum likelihood.

    y = x·β + Σ_f u_f[g_f] + ε,   u_f[g] ~ N(0, λ_f σ²),   ε ~ N(0, σ²)

The factors may be crossed, such as readers and items. Given the λ_f, the best β and σ² have a closed form, so the
likelihood is maximised over the λ_f alone (the profile likelihood), one after another until nothing is gained.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ratios = tuple[float, ...]
# log λ is searched between these ends, first at whole numbers; λ = 0 is tried, too.
_LOW, _HIGH = -12, 9
_GOLDEN = (math.sqrt(5) - 1) / 2
# So many steps leave an interval of 2 · 0.618²⁵ = 1e-5 of log λ, in which the likelihood differs by some 1e-10 n.
_STEPS = 25
# Each λ_f is searched again until a round gains less than this, nats; factors of a crossed design need some 4 rounds.
_GAIN, _ROUNDS = 1e-10, 50


@dataclass(frozen=True, eq=False)
class InterceptFit:
    """A fitted regression.

    Attributes:
        slopes: β, `[k]`.
        variance: σ².
        ratios: λ_f of each factor, the variance of its intercepts over σ².
        intercepts: The expected intercept of each group of each factor, given the rows, `[g]`; 0 for a group without rows.
        known: Whether each group of each factor has rows, `[g]`.
        log_likelihood: The log-density of all rows, nats.
    """

    slopes: Floats
    variance: float
    ratios: Ratios
    intercepts: tuple[Floats, ...]
    known: tuple[NDArray[np.bool_], ...]
    log_likelihood: float

    def log_density(self, x: Floats, y: Floats, groups: Ints) -> Floats:
        """Return log N(y; x·β + Σ u, σ²) of each row, nats, `[n]`, with the expected intercepts of its groups.

        A group without rows in the fit has the intercept 0, and adds λ_f σ² to the variance.

        Args:
            x: The predictors, `[n, k]`.
            y: The responses, `[n]`.
            groups: The group of each row under each factor, from 0, `[n, f]`.
        """
        rest = y - x @ self.slopes
        spread = np.ones(len(y))
        for f, ratio in enumerate(self.ratios):
            rest = rest - self.intercepts[f][groups[:, f]]
            spread = spread + np.where(self.known[f][groups[:, f]], 0.0, ratio)
        return -0.5 * (np.log(2 * math.pi * self.variance * spread) + rest * rest / (self.variance * spread))


def fit_intercepts(x: Floats, y: Floats, groups: Ints, n_groups: Sequence[int]) -> InterceptFit:
    """Fit a regression with random intercepts.

    Args:
        x: The predictors, `[n, k]`; a column of ones is the common intercept. Columns of about one size lose no digits.
        y: The responses, `[n]`, of which some differ from x·β for every β.
        groups: The group of each row under each factor, from 0, `[n, f]`; no factor makes this ordinary least squares.
        n_groups: The number of groups of each factor, rows or none, `[f]`.

    Returns:
        The fit.
    """
    of = _Sums.of(x, y, groups, n_groups)
    ratios: Ratios = (0.0,) * len(n_groups)
    value = of.log_likelihood(ratios)
    for turn in range(_ROUNDS if len(n_groups) else 0):
        before = value
        for f in range(len(n_groups)):
            ratios = _search(of, ratios, f, whole=turn == 0)
        value = of.log_likelihood(ratios)
        if len(n_groups) == 1 or value - before < _GAIN:
            break
    slopes, variance, _ = of.solve(ratios)
    known = tuple(of.counts[block] > 0 for block in of.blocks)
    return InterceptFit(slopes, variance, ratios, of.intercepts(ratios, slopes), known, value)


def _search(of: _Sums, ratios: Ratios, f: int, whole: bool) -> Ratios:
    """Return the ratios with the best λ_f, given the others: of the whole range, or near its present value, if not 0."""

    def with_(ratio: float) -> Ratios:
        return (*ratios[:f], ratio, *ratios[f + 1 :])

    def value(ratio: float) -> float:
        return of.log_likelihood(with_(ratio))

    best = ratios[f]
    if whole or best == 0:
        best = max([0.0, *(math.exp(t) for t in range(_LOW, _HIGH, 1 if whole else 4))], key=value)
    if best == 0:
        return with_(0.0)
    low, high = math.log(best) - 1, math.log(best) + 1
    a, b = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    of_a, of_b = value(math.exp(a)), value(math.exp(b))
    for _ in range(_STEPS):
        if of_a < of_b:
            low, a, of_a = a, b, of_b
            b = low + _GOLDEN * (high - low)
            of_b = value(math.exp(b))
        else:
            high, b, of_b = b, a, of_a
            a = high - _GOLDEN * (high - low)
            of_a = value(math.exp(a))
    return with_(math.exp((low + high) / 2))


@dataclass(frozen=True, eq=False)
class _Sums:
    """The sums over rows that the likelihood depends on, with A = [x y] and Z the indicators of all groups.

    Attributes:
        squares: AᵀA.
        crossed: ZᵀA, `[q, k + 1]`.
        pairs: ZᵀZ, `[q, q]`: the number of rows of each pair of groups.
        blocks: The groups of each factor, in the order of the factors.
        first: The factor with the most groups, whose block of ZᵀZ is diagonal and so is eliminated without a matrix.
        n: The number of rows.
    """

    squares: Floats
    crossed: Floats
    pairs: Floats
    blocks: tuple[slice, ...]
    first: int
    n: int

    @classmethod
    def of(cls, x: Floats, y: Floats, groups: Ints, n_groups: Sequence[int]) -> _Sums:
        both = np.concatenate([x, y[:, None]], axis=1)
        ends = np.cumsum([0, *n_groups]).tolist()
        q = ends[-1]
        crossed, pairs = np.zeros((q, both.shape[1])), np.zeros((q, q))
        codes = [groups[:, f] + ends[f] for f in range(len(n_groups))]
        for one in codes:
            for k, column in enumerate(both.T):
                crossed[:, k] += np.bincount(one, weights=column, minlength=q)
            for other in codes:
                pairs += np.bincount(one * q + other, minlength=q * q).reshape(q, q)
        blocks = tuple(slice(lo, hi) for lo, hi in pairwise(ends))
        first = int(np.argmax(n_groups)) if len(n_groups) else 0
        return cls(both.T @ both, crossed, pairs, blocks, first, len(y))

    @property
    def counts(self) -> Floats:
        """The number of rows of each group, `[q]`."""
        return np.diagonal(self.pairs)

    def solve(self, ratios: Ratios) -> tuple[Floats, float, float]:
        """Return the best β and σ² for the λ_f, and log |I + Σ_f λ_f Z_f Z_fᵀ|.

        The inverse of V = I + Z S² Zᵀ, with S² the λ_f of all groups, is I − Z S M⁻¹ S Zᵀ with M = I + S ZᵀZ S, and
        |V| = |M|.
        """
        squares, width = self.squares, 0.0
        if self.blocks:
            inner = self.crossed * self._scale(ratios)[:, None]
            solved, width = self._solve(ratios, inner)
            squares = squares - inner.T @ solved
        xx, xy, yy = squares[:-1, :-1], squares[:-1, -1], float(squares[-1, -1])
        slopes = np.linalg.lstsq(xx, xy, rcond=1e-12)[0].astype(np.float64)
        return slopes, max(yy - float(slopes @ xy), 0.0) / self.n, width

    def log_likelihood(self, ratios: Ratios) -> float:
        """Return the log-density of all rows with the best β and σ² for the λ_f, nats."""
        _, variance, width = self.solve(ratios)
        if variance <= 0:
            return -math.inf
        return -0.5 * (self.n * (math.log(2 * math.pi * variance) + 1) + width)

    def intercepts(self, ratios: Ratios, slopes: Floats) -> tuple[Floats, ...]:
        """Return E[u | y] = S M⁻¹ S Zᵀ(y − xβ) of each factor."""
        if not self.blocks:
            return ()
        scale = self._scale(ratios)
        rest = (self.crossed[:, -1] - self.crossed[:, :-1] @ slopes) * scale
        expected = scale * self._solve(ratios, rest[:, None])[0][:, 0]
        return tuple(expected[block] for block in self.blocks)

    def _scale(self, ratios: Ratios) -> Floats:
        """Return √λ of each group, the diagonal of S."""
        return np.concatenate(
            [np.full(block.stop - block.start, math.sqrt(r)) for block, r in zip(self.blocks, ratios)]
        )

    def _solve(self, ratios: Ratios, right: Floats) -> tuple[Floats, float]:
        """Return M⁻¹ times the columns of `right`, and log |M|; the block of one factor is eliminated first."""
        scale = self._scale(ratios)
        own = self.blocks[self.first]
        others = np.ones(len(scale), dtype=np.bool_)
        others[own] = False
        diagonal = 1.0 + scale[own] ** 2 * self.counts[own]
        out = np.empty_like(right)
        width = float(np.log(diagonal).sum())
        top = right[own] / diagonal[:, None]
        if others.any():
            between = scale[own, None] * self.pairs[own][:, others] * scale[others]
            rest = scale[others, None] * self.pairs[np.ix_(others, others)] * scale[others]
            rest[np.diag_indices_from(rest)] += 1.0
            rest -= between.T @ (between / diagonal[:, None])
            below = np.linalg.solve(rest, right[others] - between.T @ top)
            width += float(np.linalg.slogdet(rest)[1])
            out[others] = below
            top = top - between @ below / diagonal[:, None]
        out[own] = top
        return out, width
