"""Regression with random intercepts, against the normal density of all rows written out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pofx.algorithms.statistics.random_intercept import fit_intercepts


def data(seed: int, between: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 7, 90)
    x = np.stack([np.ones(90), rng.normal(size=90), rng.normal(size=90)], axis=1)
    y = x @ [3.0, 1.0, 0.0] + between * rng.normal(size=8)[groups] + rng.normal(size=90)
    return x, y, groups


def density(x: np.ndarray, y: np.ndarray, groups: np.ndarray, ratio: float) -> tuple[float, np.ndarray]:
    """The largest log-density over β and σ² for one λ, by the covariance matrix of all rows; and β."""
    n = len(y)
    v = np.eye(n) + ratio * (groups[:, None] == groups[None])
    inverse = np.linalg.inv(v)
    slopes = np.linalg.solve(x.T @ inverse @ x, x.T @ inverse @ y)
    rest = y - x @ slopes
    variance = rest @ inverse @ rest / n
    return -0.5 * (n * math.log(2 * math.pi * variance) + np.linalg.slogdet(v)[1] + n), slopes


@pytest.mark.parametrize("between", [0.7, 3.0])
def test_the_fit_is_the_largest_likelihood(between: float) -> None:
    x, y, groups = data(1, between)
    fit = fit_intercepts(x, y, groups, 8)
    value, slopes = density(x, y, groups, fit.ratio)
    assert fit.log_likelihood == pytest.approx(value, abs=1e-8)
    assert fit.slopes == pytest.approx(slopes, abs=1e-8)
    for other in np.exp(np.linspace(-8, 6, 200)):
        assert density(x, y, groups, other)[0] <= value + 1e-9
    # The expected intercepts are E[u | y] of the joint normal distribution.
    n = len(y)
    v = fit.variance * (np.eye(n) + fit.ratio * (groups[:, None] == groups[None]))
    for g in range(8):
        cross = fit.variance * fit.ratio * (groups == g)
        assert fit.intercepts[g] == pytest.approx(cross @ np.linalg.solve(v, y - x @ fit.slopes), abs=1e-8)


def test_groups_that_do_not_differ_have_no_variance() -> None:
    rng = np.random.default_rng(0)
    x = np.ones((60, 1))
    half = rng.normal(size=30)
    y = np.concatenate([half, half])  # the two groups have the same mean
    fit = fit_intercepts(x, y, np.repeat([0, 1], 30), 2)
    assert (fit.ratio, fit.intercepts.tolist()) == (0.0, [0.0, 0.0])


def test_without_variance_between_groups_it_is_least_squares() -> None:
    x, y, groups = data(2, 2.0)
    fit = fit_intercepts(x, y, groups, 8, fixed=True)
    slopes, rest, *_ = np.linalg.lstsq(x, y)
    assert fit.slopes == pytest.approx(slopes)
    assert fit.variance == pytest.approx(rest[0] / len(y))
    assert fit.log_density(x, y, groups).sum() == pytest.approx(fit.log_likelihood)


def test_columns_that_say_the_same_change_no_density() -> None:
    x, y, groups = data(3, 1.0)
    twice = np.concatenate([x, x[:, 1:2]], axis=1)
    one, two = fit_intercepts(x, y, groups, 8), fit_intercepts(twice, y, groups, 8)
    assert two.log_likelihood == pytest.approx(one.log_likelihood)
    assert two.log_density(twice, y, groups) == pytest.approx(one.log_density(x, y, groups), abs=1e-6)
