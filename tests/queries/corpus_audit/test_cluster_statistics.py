"""Intraclass correlation, design effect, and intervals that know of clusters."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pofx.algorithms.statistics.clusters import (
    Groups,
    bootstrap_mean,
    design_effect,
    intraclass_correlation,
    mean_size,
)


def test_intraclass_correlation_of_known_cases() -> None:
    assert intraclass_correlation(np.array([1.0, 1, 5, 5]), np.array([0, 0, 1, 1])) == 1.0
    assert intraclass_correlation(np.array([1.0, 5, 1, 5]), np.array([0, 0, 1, 1])) == 0.0
    assert intraclass_correlation(np.arange(4.0), np.arange(4)) == 0.0
    rng = np.random.default_rng(12)
    labels = np.repeat(np.arange(2000), 5)
    values = rng.normal(size=2000)[labels] * math.sqrt(0.3) + rng.normal(size=10000) * math.sqrt(0.7)
    assert intraclass_correlation(values, labels) == pytest.approx(0.3, abs=0.03)


def test_the_design_effect_is_the_ratio_of_variances() -> None:
    rng = np.random.default_rng(13)
    labels = np.repeat(np.arange(8), [1, 1, 2, 3, 5, 8, 13, 7])
    rho = 0.4
    means = [
        (rng.normal(size=8)[labels] * math.sqrt(rho) + rng.normal(size=40) * math.sqrt(1 - rho)).mean()
        for _ in range(20000)
    ]
    assert 40 * np.var(means) == pytest.approx(design_effect(labels, rho), rel=0.05)
    assert mean_size(np.arange(5)) == 1.0
    assert design_effect(np.zeros(10, dtype=np.int64), 1.0) == 10.0


def test_the_interval_covers_the_mean_where_documents_depend() -> None:
    rng = np.random.default_rng(14)
    labels = np.repeat(np.arange(40), 10)
    inside = {"clusters": 0, "documents": 0}
    for _ in range(100):
        values = rng.normal(size=40)[labels] + 0.3 * rng.normal(size=400)
        for name, groups in (("clusters", labels), ("documents", np.arange(400))):
            low, high = bootstrap_mean(values, groups, 0.95, 300, rng)
            inside[name] += low <= 0 <= high
    assert inside["clusters"] >= 85
    assert inside["documents"] <= 65


def test_groups_join() -> None:
    groups = Groups(5)
    groups.join(3, 1)
    groups.join(4, 3)
    assert groups.labels().tolist() == [0, 1, 2, 1, 1]
    assert groups.together(1, 4)
    assert not groups.together(0, 1)
