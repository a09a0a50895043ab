"""Outliers: conformal p-values of texts, and thresholds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st
from proverbs import (
    ENGLISH,
    FRENCH,
    GenerativeClassifier,
)

import pofx
from pofx.classification.outliers import KEPT, Rejection, make_rejection
from pofx.errors import BadValue


class TestRejection:
    def test_p_is_conformal(self) -> None:
        values = np.array([-5.0, -4.0, -3.0, -2.0])
        reference = make_rejection(values, np.zeros(4, dtype=np.int64))
        asked = np.array([-9.0, -5.0, -3.5, 0.0])
        assert reference.p(asked, np.zeros(4, dtype=np.int64)).tolist() == [0.2, 0.4, 0.6, 1.0]
        # Exchangeable: each of the five places is as probable, so that P(p ≤ s) ≤ s, by enumeration.
        pool = np.array([-3.0, -2.5, -1.0, -0.5, -0.1])
        p = [
            make_rejection(np.delete(pool, i), np.zeros(4, dtype=np.int64)).p(
                pool[i : i + 1], np.zeros(1, dtype=np.int64)
            )[0]
            for i in range(5)
        ]
        assert sorted(p) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])

    @settings(max_examples=60, deadline=None)
    @over(st.lists(st.integers(-20, 0), min_size=1, max_size=30), st.floats(0.01, 0.99), st.integers(-22, 2))
    def test_below_the_threshold_just_where_p_is_small(
        self, held: list[int], share: float, value: int
    ) -> None:
        reference = Rejection(np.sort(np.array(held, dtype=float)))
        p = reference.p(np.array([float(value)]), np.zeros(1, dtype=np.int64))[0]
        if abs(p - share) > 1e-6:
            assert (value < reference.threshold(share)) == (p <= share)

    def test_many_are_thinned(self) -> None:
        rng = np.random.default_rng(0)
        values = rng.normal(size=20_000)
        reference = make_rejection(values, np.zeros(20_000, dtype=np.int64), per="text")
        assert len(reference.held_out) == KEPT
        asked = np.array([-2.0, 0.0, 1.0])
        exact = [(1 + (values <= v).sum()) / 20_001 for v in asked]
        np.testing.assert_allclose(reference.p(asked, np.zeros(3, dtype=np.int64)), exact, atol=2e-3)

    def test_another_language_is_rejected(self) -> None:
        ours = GenerativeClassifier(pofx.NgramSpec(order=4)).fit(ENGLISH[:200], ["en"] * 200)
        with pytest.raises(BadValue, match="fit_rejection"):
            ours.outlier_p(FRENCH)
        ours.fit_rejection(ENGLISH[200:])
        assert np.mean(ours.outlier_p(FRENCH) <= 0.05) > 0.8
        by_text = ours.fit_rejection(ENGLISH[200:], per="text").outlier_p(FRENCH)
        assert np.mean(by_text <= 0.05) < 0.8  # mostly a measure of the length
        ours.fit(ENGLISH[:200], ["en"] * 200)
        assert not hasattr(ours, "rejection_")

    def test_refused(self) -> None:
        with pytest.raises(BadValue, match="at least one text"):
            make_rejection(np.zeros(0), np.zeros(0, dtype=np.int64))
        with pytest.raises(BadValue, match="per: expected"):
            make_rejection(np.zeros(1), np.zeros(1, dtype=np.int64), per="token")  # type: ignore[arg-type]
        for share in (0, 1, math.nan):
            with pytest.raises(BadValue, match="share"):
                Rejection(np.zeros(1)).threshold(share)
