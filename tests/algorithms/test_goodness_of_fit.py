"""Pearson's statistic against simulated draws: calibrated where the counts are draws, small where they are not."""

from __future__ import annotations

import numpy as np
import pytest

from pofx.algorithms.statistics.goodness_of_fit import fit_p_value

P = np.array([0.4, 0.3, 0.2, 0.07, 0.02, 0.009, 0.001])


def test_draws_of_the_distribution_are_calibrated() -> None:
    rng = np.random.default_rng(0)
    found = [fit_p_value([(rng.multinomial(400, P), P)], rng) for _ in range(100)]
    assert np.mean(np.array(found) < 0.1) == pytest.approx(0.1, abs=0.07)
    assert np.mean(found) == pytest.approx(0.5, abs=0.09)


def test_draws_of_another_distribution_do_not_fit() -> None:
    rng = np.random.default_rng(1)
    other = P**2 / (P**2).sum()
    assert fit_p_value([(rng.multinomial(400, other), P)], rng) == pytest.approx(1 / 5000)


def test_several_tables_count_together() -> None:
    rng = np.random.default_rng(2)
    near = P**1.2 / (P**1.2).sum()
    tables = [(rng.multinomial(400, near), P) for _ in range(40)]
    assert fit_p_value(tables[:1], rng) > 0.01 > fit_p_value(tables, rng)


def test_impossible_outcomes_and_no_outcomes() -> None:
    rng = np.random.default_rng(3)
    assert fit_p_value([(np.array([9, 1]), np.array([1.0, 0.0]))], rng) == 0
    assert fit_p_value([(np.array([10, 0]), np.array([1.0, 0.0]))], rng) == 1
    assert fit_p_value([], rng) == 1
