"""Regression with random intercepts, against the normal density of all rows written out."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from pofx.algorithms.statistics.random_intercepts import fit_intercepts

SIZES = (8, 11)


def data(seed: int, between: float, items: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of 7 of 8 readers and 11 items, in no balance."""
    rng = np.random.default_rng(seed)
    groups = np.stack([rng.integers(0, 7, 90), rng.integers(0, 11, 90)], axis=1)
    x = np.stack([np.ones(90), rng.normal(size=90), rng.normal(size=90)], axis=1)
    y = x @ [3.0, 1.0, 0.0] + between * rng.normal(size=8)[groups[:, 0]] + rng.normal(size=90)
    return x, y + items * rng.normal(size=11)[groups[:, 1]], groups


def covariance(groups: np.ndarray, ratios: tuple[float, ...]) -> np.ndarray:
    v = np.eye(len(groups))
    for f, ratio in enumerate(ratios):
        v += ratio * (groups[:, f][:, None] == groups[:, f][None])
    return v


def density(
    x: np.ndarray, y: np.ndarray, groups: np.ndarray, ratios: tuple[float, ...]
) -> tuple[float, np.ndarray]:
    """The largest log-density over β and σ² for these λ, by the covariance matrix of all rows; and β."""
    n, v = len(y), covariance(groups, ratios)
    inverse = np.linalg.inv(v)
    slopes = np.linalg.solve(x.T @ inverse @ x, x.T @ inverse @ y)
    rest = y - x @ slopes
    variance = rest @ inverse @ rest / n
    return -0.5 * (n * math.log(2 * math.pi * variance) + np.linalg.slogdet(v)[1] + n), slopes


@pytest.mark.parametrize("factors", [(0,), (0, 1), (1, 0)])
@pytest.mark.parametrize("between", [0.7, 3.0])
def test_the_fit_is_the_largest_likelihood(between: float, factors: tuple[int, ...]) -> None:
    x, y, both = data(1, between, 1.0)
    groups, sizes = both[:, factors], [SIZES[f] for f in factors]
    fit = fit_intercepts(x, y, groups, sizes)
    value, slopes = density(x, y, groups, fit.ratios)
    assert fit.log_likelihood == pytest.approx(value, abs=1e-8)
    assert fit.slopes == pytest.approx(slopes, abs=1e-8)
    rng = np.random.default_rng(0)
    steps = np.exp(np.concatenate([rng.normal(0, s, (50, len(sizes))) for s in (1e-3, 0.1, 1.0, 4.0)]))
    for step in steps:
        assert density(x, y, groups, tuple(np.array(fit.ratios) * step))[0] <= value + 1e-8
    # The expected intercepts are E[u | y] of the joint normal distribution.
    v = fit.variance * covariance(groups, fit.ratios)
    for f, size in enumerate(sizes):
        for g in range(size):
            cross = fit.variance * fit.ratios[f] * (groups[:, f] == g)
            want = cross @ np.linalg.solve(v, y - x @ fit.slopes)
            assert fit.intercepts[f][g] == pytest.approx(want, abs=1e-8)


def test_a_group_without_rows_has_the_variance_of_its_factor() -> None:
    x, y, groups = data(1, 2.0, 1.0)
    fit = fit_intercepts(x, y, groups, SIZES)
    assert [k.tolist() for k in fit.known] == [[True] * 7 + [False], [True] * 11]
    row = np.array([[1.0, 0.5, -0.5]])
    found = fit.log_density(row, np.array([4.0]), np.array([[7, 2]]))[0]
    variance = fit.variance * (1 + fit.ratios[0])
    rest = 4.0 - row[0] @ fit.slopes - fit.intercepts[1][2]
    assert found == pytest.approx(-0.5 * (math.log(2 * math.pi * variance) + rest**2 / variance))


def test_groups_that_do_not_differ_have_no_variance() -> None:
    rng = np.random.default_rng(0)
    x = np.ones((60, 1))
    half = rng.normal(size=30)
    y = np.concatenate([half, half])  # the two groups have the same mean
    fit = fit_intercepts(x, y, np.repeat([[0], [1]], 30, axis=0), [2])
    assert (fit.ratios, fit.intercepts[0].tolist()) == ((0.0,), [0.0, 0.0])


def test_without_factors_it_is_least_squares() -> None:
    x, y, groups = data(2, 2.0)
    fit = fit_intercepts(x, y, groups[:, :0], [])
    slopes, rest, *_ = np.linalg.lstsq(x, y)
    assert fit.slopes == pytest.approx(slopes)
    assert fit.variance == pytest.approx(rest[0] / len(y))
    assert fit.log_density(x, y, groups[:, :0]).sum() == pytest.approx(fit.log_likelihood)


def test_columns_that_say_the_same_change_no_density() -> None:
    x, y, groups = data(3, 1.0)
    twice = np.concatenate([x, x[:, 1:2]], axis=1)
    one, two = fit_intercepts(x, y, groups, SIZES), fit_intercepts(twice, y, groups, SIZES)
    assert two.log_likelihood == pytest.approx(one.log_likelihood)
    assert two.log_density(twice, y, groups) == pytest.approx(one.log_density(x, y, groups), abs=1e-6)


def test_crossed_factors_are_those_of_statsmodels() -> None:
    sm = pytest.importorskip("statsmodels.regression.mixed_linear_model")
    x, y, groups = data(1, 2.0, 1.0)
    fit = fit_intercepts(x, y, groups, SIZES)
    factors = [np.eye(size)[groups[:, f]] for f, size in enumerate(SIZES)]
    spec = sm.VCSpec(
        ["reader", "item"], [[[f"g{k}" for k in range(z.shape[1])]] for z in factors], [[z] for z in factors]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = sm.MixedLM(y, x, np.zeros(len(y)), exog_vc=spec).fit(reml=False)
    assert fit.log_likelihood == pytest.approx(own.llf, abs=1e-4)
    assert fit.slopes == pytest.approx(own.fe_params, abs=1e-4)
    assert np.array(fit.ratios) * fit.variance == pytest.approx(own.vcomp, rel=5e-3)
