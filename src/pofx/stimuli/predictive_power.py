"""Predictive power for reading times: how much likelier times are under a regression with surprisals than without them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.statistics.clusters import bootstrap_mean
from pofx.algorithms.statistics.random_intercepts import InterceptFit, fit_intercepts
from pofx.errors import Advice, BadValue
from pofx.interactive.shown import Shown
from pofx.stimuli.predictors import find_baseline, find_surprisals, numbers_of
from pofx.stimuli.stimulus_fields import check_column, find_items
from pofx.stimuli.stimulus_table import rows_of
from pofx.values import check_bool, check_whole_number

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
DRAWS = 2000
LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class ModelPower:
    """The predictive power of the surprisals of one model.

    Attributes:
        name: The name of the model; "" for a model without a name.
        predictors: The columns that the regression has beside those of the baseline; the first is the surprisal of the word.
        gain: Δ log-likelihood: the mean over rows of the log-density with these predictors less that without them, on
            held-out items, nats a row.
        low: The lower end of the 95 % interval of `gain`, by a bootstrap of items.
        high: The upper end of this interval.
        slope: The coefficient of the first predictor, fitted on all rows, units of time (or of log time) a nat.
        gains: The difference of log-densities of each row, nats, `[n]`.
    """

    name: str
    predictors: tuple[str, ...]
    gain: float
    low: float
    high: float
    slope: float
    gains: Floats


@dataclass(frozen=True, eq=False, repr=False)
class PredictivePower(Shown):
    """The predictive power of one model or several, on the same rows.

    Attributes:
        time: The column of the times.
        log: Whether the regression is of log time.
        baseline: The columns of the baseline.
        item: The columns that name an item.
        by: The columns of the random intercepts, one factor each; () for none.
        rows: The number n of rows that have a number in every column.
        left_out: The number of the other rows.
        first_words: The number of rows, of the n, whose word is the first of its text; None without a column `index`.
        n_items: The number of items.
        n_groups: The number of values of each column of `by`.
        folds: The number of folds of items.
        log_likelihood: The mean log-density of the rows under the baseline, nats a row, on held-out items.
        models: The models.
        items: The item of each row, from 0, `[n]`.

    Right: `found.models[0].gain` beside its interval. Wrong: comparing gains of two tables, or of two baselines.
    """

    time: str
    log: bool
    baseline: tuple[str, ...]
    item: tuple[str, ...]
    by: tuple[str, ...]
    rows: int
    left_out: int
    first_words: int | None
    n_items: int
    n_groups: tuple[int, ...]
    folds: int
    log_likelihood: float
    models: tuple[ModelPower, ...]
    items: Ints

    def difference(self, first: int, second: int, seed: int = 0) -> tuple[float, float, float]:
        """Return the gain of a model less that of another, and the ends of its 95 % interval, nats a row.

        Args:
            first: The place of a model in `models`.
            second: The place of the other model.
            seed: The seed of the bootstrap.
        """
        gains = self.models[first].gains - self.models[second].gains
        return float(gains.mean()), *_interval(gains, self.items, seed)


def predictive_power(
    table: Any,
    time: str,
    item: str | Sequence[str] | None = None,
    by: str | Sequence[str] | None = None,
    surprisals: Mapping[str, Sequence[str]] | None = None,
    baseline: Sequence[str] | None = None,
    log: bool = False,
    folds: int = 10,
    seed: int = 0,
) -> PredictivePower:
    """Measure how well surprisals predict reading times, beyond a baseline.

        Δ = mean over held-out rows of log N(time; baseline and surprisals) − log N(time; baseline)

    Both regressions are linear, with a random intercept for each value of each column of `by`, and are fitted by maximum
    likelihood on the rows of all other items. A held-out row gets the expected intercept of its group; a group without other
    rows, such as a held-out item, has the intercept 0 and adds its variance. Rows without a number in any of the columns are
    left out, so all models are compared on the same rows.

    Args:
        table: The rows, as `measure_stimuli` returns them: its result, a table of Arrow, or a list of mappings.
        time: The column of the times.
        item: The column or columns that name an item; None for a known name. Conditions of an item are held out together.
        by: The column of the random intercept, such as the reader, or several columns, such as the reader and the item,
            whose intercepts are crossed; None for ordinary least squares.
        surprisals: The predictors of each model by its name, the surprisal first; None for the
            columns that `measure_stimuli` made: for each model `surprisal_nats` and the surprisals of the words before.
        baseline: The predictors of the baseline; None for `index`, `length` and `log_frequency`, and the length and
            frequency of the words before, where the table has these columns.
        log: Whether the regression is of log time.
        folds: The number of folds of items; with fewer items, each item is a fold.
        seed: The seed of the folds and of the bootstrap.

    Returns:
        The predictive power of each model.

    Raises:
        BadValue: A column is missing or holds no numbers, there are fewer than two items, or too few rows.

    Right: `predictive_power(measure_stimuli(models, table, previous=1), "RT", by="subject")`. Wrong: to read a gain of
    training rows as evidence, since more predictors always fit better there.
    """
    check_bool("log", log)
    check_whole_number("folds", folds, 2, advice="name at least two folds")
    check_whole_number("seed", seed)
    _, rows = rows_of(table)
    names = list(dict.fromkeys(name for row in rows for name in row))
    items = find_items(names, item)
    items = items if item is not None else items[:1]  # the conditions of an item are held out together
    models = find_surprisals(names, surprisals)
    base = find_baseline(names, baseline)
    factors = () if by is None else (by,) if isinstance(by, str) else tuple(by)
    for argument, name in (("time", time), *(("by", b) for b in factors)):
        check_column(names, name, argument)
    if len(set(factors)) < len(factors):
        raise BadValue(
            f"expected columns of different names, got {', '.join(factors):.80}",
            "name each once",
            argument="by",
        )
    columns = list(dict.fromkeys([*base, *(c for own in models.values() for c in own)]))
    y = numbers_of(rows, time)
    if log:
        y = np.log(y, out=np.full(len(y), np.nan), where=y > 0)
    x = {name: numbers_of(rows, name) for name in columns}
    whole = np.isfinite(y) & np.all([np.isfinite(c) for c in x.values()], axis=0)
    kept = np.flatnonzero(whole)
    most = 1 + len(base) + max(len(own) for own in models.values())
    of_items, item_codes = _codes([tuple(rows[k].get(n) for n in items) for k in kept])
    coded = [_codes([rows[k].get(name) for k in kept]) for name in factors]
    groups = tuple(n for n, _ in coded)
    group_codes = np.array([codes for _, codes in coded], dtype=np.int64).reshape(len(factors), len(kept)).T
    if of_items < 2 or len(kept) < 2 * most:
        raise BadValue(
            f"expected at least two items and {2 * most} rows with a number in every column, got {of_items:,} "
            f"and {len(kept):,} of {len(rows):,}",
            Advice("name columns that hold numbers", "baseline=…, surprisals=…", "--baseline, --surprisal"),
            argument="table",
        )
    y = y[kept]
    scale = float(y.std())
    if scale == 0:
        raise BadValue("expected times that differ, got one time", "name another column", argument="time")
    z = (y - y.mean()) / scale
    columns_of = {name: _standardised(c[kept]) for name, c in x.items()}
    folds = min(folds, of_items)
    fold = (np.random.default_rng(seed).permutation(of_items) % folds)[item_codes]
    problem = _Problem(z, columns_of, group_codes, groups, fold, folds)
    without = problem.held_out(base)
    found = []
    for name, own in models.items():
        gains = problem.held_out((*base, *own)) - without
        slope = problem.slope((*base, *own), len(base)) * scale / (float(x[own[0]][kept].std()) or 1.0)
        low, high = _interval(gains, item_codes, seed)
        found.append(ModelPower(name, tuple(own), float(gains.mean()), low, high, slope, gains))
    first = int((numbers_of(rows, "index")[kept] == 0).sum()) if "index" in names else None
    return PredictivePower(
        time,
        log,
        tuple(base),
        items,
        factors,
        len(kept),
        len(rows) - len(kept),
        first,
        of_items,
        groups,
        folds,
        float(without.mean()) - math.log(scale),
        tuple(found),
        item_codes,
    )


@dataclass(frozen=True, eq=False)
class _Problem:
    """The times and the predictors of all rows, each with mean 0 and variance 1, their groups `[n, f]`, and their folds."""

    y: Floats
    columns: Mapping[str, Floats]
    groups: Ints
    n_groups: tuple[int, ...]
    fold: Ints
    folds: int

    def _x(self, names: Sequence[str]) -> Floats:
        return np.stack([np.ones(len(self.y)), *(self.columns[n] for n in names)], axis=1)

    def held_out(self, names: Sequence[str]) -> Floats:
        """Return the log-density of each row under a fit on the rows of all other folds, nats."""
        x = self._x(names)
        out = np.empty(len(self.y))
        for k in range(self.folds):
            test = self.fold == k
            fit = self._fit(x[~test], self.y[~test], self.groups[~test])
            if fit.variance < 1e-20:
                raise BadValue(
                    "expected times that the predictors do not determine, got residuals of 0",
                    "name other predictors, or pass more rows",
                    argument="table",
                )
            out[test] = fit.log_density(x[test], self.y[test], self.groups[test])
        return out

    def slope(self, names: Sequence[str], at: int) -> float:
        """Return the coefficient of one predictor, in standard deviations, fitted on all rows."""
        return float(self._fit(self._x(names), self.y, self.groups).slopes[1 + at])

    def _fit(self, x: Floats, y: Floats, groups: Ints) -> InterceptFit:
        return fit_intercepts(x, y, groups, self.n_groups)


def _standardised(column: Floats) -> Floats:
    centred: Floats = column - column.mean()
    return centred / (float(centred.std()) or 1.0)


def _codes(values: Sequence[Any]) -> tuple[int, Ints]:
    """Return the number of different values, and the number of each value from 0."""
    known: dict[Any, int] = {}
    codes = np.array([known.setdefault(v, len(known)) for v in values], dtype=np.int64)
    return len(known), codes


def _interval(gains: Floats, items: Ints, seed: int) -> tuple[float, float]:
    return bootstrap_mean(gains, items, LEVEL, DRAWS, np.random.default_rng(seed))
