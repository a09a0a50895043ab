"""Which candidates go on: unbiased by going through all uniform numbers; and what runs say of a sum."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st

from pofx.algorithms.statistics.smc import effective, evidence, thinned


def inclusion(weights: np.ndarray, n: int) -> np.ndarray:
    """min(1, c w) with Σ = n, by bisection on c: the definition."""
    lo, hi = 0.0, 1.0
    while np.minimum(1, hi * weights).sum() < n - 1e-12:
        hi *= 2
    for _ in range(200):
        c = (lo + hi) / 2
        lo, hi = (c, hi) if np.minimum(1, c * weights).sum() < n else (lo, c)
    return np.minimum(1, hi * weights)


WEIGHTS = [
    np.array([[5.0, 1, 1, 1], [1, 0, 2, 0.5]]),
    np.array([[1.0, 1, 1, 1, 1, 1]]),
    np.array([[100.0, 50, 1e-3], [1e-3, 1e-3, 2e-3]]),
    np.array([[0.0, 3], [0, 1], [0, 0], [2, 2]]),
    np.random.default_rng(0).exponential(size=(7, 11)) ** 3,
]


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_every_candidate_is_kept_with_its_probability(weights: np.ndarray, n: int) -> None:
    grid = (np.arange(1000) + 0.5) / 1000
    kept, expected = np.zeros_like(weights), inclusion(weights, n)
    for u in grid:
        row, k, log_p = thinned(weights, n, float(u))
        assert len(set(zip(row.tolist(), k.tolist()))) == len(row) == n
        kept[row, k] += 1 / len(grid)
        assert np.allclose(np.exp(log_p), expected[row, k])
    assert np.abs(kept - expected).max() < 5e-3


@pytest.mark.parametrize("weights", WEIGHTS)
def test_sums_over_what_is_kept_are_unbiased(weights: np.ndarray) -> None:
    value = np.arange(weights.size).reshape(weights.shape) ** 2.0
    grid = (np.arange(1000) + 0.5) / 1000
    found = []
    for u in grid:
        row, k, log_p = thinned(weights, 2, float(u))
        found.append(np.sum(weights[row, k] / np.exp(log_p) * value[row, k]))
    assert np.mean(found) == pytest.approx(np.sum(weights * value), rel=5e-3)


@settings(deadline=None)
@over(
    st.lists(st.lists(st.just(0.0) | st.floats(1e-200, 1e6), min_size=3, max_size=3), min_size=1, max_size=5),
    st.integers(1, 20),
    st.floats(0, 1, exclude_max=True),
)
def test_few_candidates_are_all_kept_and_many_are_n(rows: list[list[float]], n: int, u: float) -> None:
    weights = np.array(rows)
    row, k, log_p = thinned(weights, n, u)
    positive = np.count_nonzero(weights)
    assert (weights[row, k] > 0).all()
    assert (log_p <= 0).all()
    if positive <= n:
        assert len(row) == positive and not log_p.any()
    else:
        assert len(set(zip(row.tolist(), k.tolist()))) == len(row)
        assert n - 1 <= len(row) <= n + 1  # one more or less where sums are not exact


def test_the_heavy_ones_stay_whatever_the_draw() -> None:
    weights = np.array([[1.0, 1e-9, 1e-9], [1e-9, 0.7, 1e-9]])
    for u in (0.0, 0.3, 0.999999):
        row, k, log_p = thinned(weights, 3, u)
        pairs = dict(zip(zip(row.tolist(), k.tolist()), log_p.tolist()))
        assert pairs[0, 0] == pairs[1, 1] == 0.0
        assert len(pairs) == 3
    row, k, _ = thinned(np.array([[1.0, 1e-300], [1.0, 1e-300]]), 2, 0.5)
    assert sorted(zip(row.tolist(), k.tolist())) == [(0, 0), (1, 0)]


def test_evidence_is_the_mean_of_the_runs() -> None:
    z = np.array([1.0, 2, 3, 4, 2, 2, 1, 1])
    found = evidence(np.log(z) - 900)  # far below the smallest float
    assert found.log == pytest.approx(math.log(2) - 900)
    assert found.se == pytest.approx(z.std(ddof=1) / math.sqrt(8) / 2)
    assert found.runs == pytest.approx(tuple(np.log(z) - 900))
    assert evidence(np.array([-np.inf, 0.0])).log == pytest.approx(math.log(0.5))
    nothing = evidence(np.full(8, -np.inf))
    assert nothing.log == -math.inf and nothing.se == 0


def test_effective_number() -> None:
    assert effective(np.zeros(7) - 1000) == pytest.approx(7)
    assert effective(np.array([0.0, -np.inf])) == pytest.approx(1)
    assert effective(np.log(np.array([1.0, 3.0]))) == pytest.approx(16 / 10)
    assert effective(np.zeros(0)) == effective(np.full(2, -np.inf)) == 0
