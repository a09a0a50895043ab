"""Bounds of bits per byte: the quantile that they state, and the best interval of labelled documents, by enumeration."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pofx.errors import BadValue
from pofx.filtering.bounds import bounds_of_labels, bounds_of_quantiles
from pofx.filtering.reference import KEPT, make_reference

QUANTILES = st.tuples(st.integers(0, 100), st.integers(0, 100)).filter(lambda q: q[0] < q[1])


@given(st.integers(1, 400), QUANTILES, st.integers(0, 9))
def test_the_share_within_the_bounds_is_the_stated_one(
    n: int, hundredths: tuple[int, int], seed: int
) -> None:
    values = np.random.default_rng(seed).permutation(n) / 7
    low, high = (Fraction(q, 100) for q in hundredths)
    found = bounds_of_quantiles(values, (float(low), float(high)))
    assert found.kept == math.ceil(n * high) - math.floor(n * low)
    assert found.kept == sum(found.low <= v <= found.high for v in values)
    assert math.isinf(found.low) == (low == 0)
    assert math.isinf(found.high) == (high == 1)


def test_equal_documents_stay_on_one_side() -> None:
    found = bounds_of_quantiles(np.array([1.0, 2.0, 2.0, 2.0]), (0.0, 0.5))
    assert (found.high, found.kept, found.documents) == (2.0, 4, 4)


@pytest.mark.parametrize("quantiles", [(0.9, 0.1), (0.5, 0.5), (-0.1, 1), (0, 1.5), (0, math.nan)])
def test_quantiles_outside_their_domain_are_refused(quantiles: tuple[float, float]) -> None:
    with pytest.raises(BadValue, match="quantiles"):
        bounds_of_quantiles(np.arange(4.0), quantiles)


VALUES = st.lists(st.integers(0, 12), min_size=1, max_size=12)


@given(VALUES, VALUES)
def test_labelled_bounds_are_the_best_of_all_intervals(good: list[int], bad: list[int]) -> None:
    g, b = np.array(good, dtype=np.float64), np.array(bad, dtype=np.float64)
    found = bounds_of_labels(g, b)

    def gain(low: float, high: float) -> Fraction:
        kept, kept_bad = (sum(low <= v <= high for v in side) for side in (good, bad))
        return Fraction(kept, len(good)) - Fraction(kept_bad, len(bad))

    ends = [-math.inf, *sorted({*good, *bad}), math.inf]
    best = max(gain(low, high) for low in ends for high in ends if low <= high)
    assert gain(found.low, found.high) == best
    assert found.kept == sum(found.low <= v <= found.high for v in good)
    assert found.kept_bad == sum(found.low <= v <= found.high for v in bad)
    if math.isfinite(found.low):
        assert min(bad) < found.low
    if math.isfinite(found.high):
        assert max(bad) > found.high


@pytest.mark.parametrize("n", [1, 50, KEPT, 5 * KEPT])
def test_the_quantile_of_a_document_is_its_share_of_the_sample(n: int) -> None:
    values = np.sort(np.random.default_rng(n).normal(size=n))
    share = make_reference(values).quantile(values)
    exact = np.arange(1, n + 1) / n
    assert np.abs(share - exact).max() <= (0 if n <= KEPT else 2 / KEPT)
