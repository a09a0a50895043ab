"""Δ log-likelihood of reading times, against regressions that are written out here."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import pofx
from pofx.stimuli.predictive_power import predictive_power
from small_models import BYTES, ngram

CLOSE = {"abs": 1e-9, "rel": 1e-9}


def rows(n_items: int = 12, words: int = 6, people: int = 4, effect: float = 20.0) -> list[dict[str, Any]]:
    """Times of several people, that depend on `surprisal_nats` by `effect`, on length, and on the person."""
    rng = np.random.default_rng(5)
    out = []
    slow = 60 * rng.normal(size=people)
    for i in range(n_items):
        nats, lengths = rng.gamma(4.0, 1.5, words), rng.integers(2, 9, words)
        for who in range(people):
            for k in range(words):
                time = 300 + effect * nats[k] + 8 * lengths[k] + slow[who] + 15 * rng.normal()
                out.append(
                    {
                        "item": f"i{i}",
                        "who": f"p{who}",
                        "index": k,
                        "length": int(lengths[k]),
                        "surprisal_nats": nats[k],
                        "noise_surprisal_nats": float(rng.normal()),
                        "RT": time,
                    }
                )
    return out


def held_out(table: list[dict[str, Any]], names: list[str], folds: dict[str, int], by: bool) -> list[float]:
    """The log-density of each row by regressions of dense matrices, each on the other folds; λ by a fine grid."""
    x = np.array([[1.0, *(float(r[n]) for n in names)] for r in table])
    y = np.array([r["RT"] for r in table])
    who = np.array([r["who"] for r in table])
    fold = np.array([folds[r["item"]] for r in table])
    out = np.empty(len(y))
    for k in set(folds.values()):
        test, train = fold == k, fold != k

        def fit(ratio: float, train: np.ndarray = train) -> tuple[float, np.ndarray, float, np.ndarray]:
            v = np.eye(train.sum()) + ratio * (who[train][:, None] == who[train])
            inverse = np.linalg.inv(v)
            beta = np.linalg.solve(x[train].T @ inverse @ x[train], x[train].T @ inverse @ y[train])
            rest = y[train] - x[train] @ beta
            s2 = rest @ inverse @ rest / train.sum()
            value = -0.5 * (train.sum() * math.log(s2) + np.linalg.slogdet(v)[1])
            return value, beta, s2, inverse @ rest

        grid = np.exp(np.linspace(-4, 6, 121)) if by else [0.0]
        ratio = max(grid, key=lambda r: fit(r)[0])
        _, beta, s2, pulled = fit(ratio)
        u = np.array([ratio * pulled[who[train] == w].sum() for w in who[test]])
        rest = y[test] - x[test] @ beta - u
        out[test] = -0.5 * np.log(2 * np.pi * s2) - rest**2 / (2 * s2)
    return out.tolist()


@pytest.mark.parametrize("by", [None, "who"])
def test_the_gain_is_that_of_two_regressions(by: str | None) -> None:
    table = rows()
    found = predictive_power(table, "RT", by=by, folds=3, seed=4)
    order = list(dict.fromkeys(r["item"] for r in table))
    fold = np.random.default_rng(4).permutation(len(order)) % 3
    folds = dict(zip(order, fold.tolist()))
    base = ["index", "length"]
    without, with_, noise = (
        np.array(held_out(table, names, folds, by is not None))
        for names in (base, [*base, "surprisal_nats"], [*base, "noise_surprisal_nats"])
    )
    assert [m.name for m in found.models] == ["", "noise"]
    tight = 1e-9 if by is None else 2e-3  # the oracle's λ is on a grid
    assert found.log_likelihood == pytest.approx(without.mean(), abs=tight)
    assert found.models[0].gain == pytest.approx((with_ - without).mean(), abs=tight)
    assert found.models[1].gain == pytest.approx((noise - without).mean(), abs=tight)
    own, other = found.models
    assert own.low > 0.2
    assert other.low < 0.01
    assert own.low <= own.gain <= own.high
    assert own.slope == pytest.approx(20, abs=1.5)
    gap, low, high = found.difference(0, 1)
    assert gap == pytest.approx(own.gain - other.gain)
    assert 0 < low <= gap <= high


def crossed(table: list[dict[str, Any]], names: list[str], folds: dict[str, int]) -> list[float]:
    """The log-density of each row with intercepts of reader and item, by dense matrices; both λ by a search of scipy."""
    optimize = pytest.importorskip("scipy.optimize")
    x = np.array([[1.0, *(float(r[n]) for n in names)] for r in table])
    y = np.array([r["RT"] for r in table])
    who, item = (np.array([r[k] for r in table]) for k in ("who", "item"))
    fold = np.array([folds[r["item"]] for r in table])
    out = np.empty(len(y))
    for k in set(folds.values()):
        test, train = fold == k, fold != k
        same = [c[train][:, None] == c[train] for c in (who, item)]

        def fit(
            logs: np.ndarray, same: list[np.ndarray] = same, train: np.ndarray = train
        ) -> tuple[Any, ...]:
            v = np.eye(train.sum()) + sum(math.exp(t) * s for t, s in zip(logs, same))
            inverse = np.linalg.inv(v)
            beta = np.linalg.solve(x[train].T @ inverse @ x[train], x[train].T @ inverse @ y[train])
            rest = y[train] - x[train] @ beta
            s2 = rest @ inverse @ rest / train.sum()
            return 0.5 * (train.sum() * math.log(s2) + np.linalg.slogdet(v)[1]), beta, s2, inverse @ rest

        logs = optimize.minimize(
            lambda t, fit=fit: fit(t)[0],
            [0.0, 0.0],
            method="Nelder-Mead",
            options={"xatol": 1e-6, "fatol": 1e-9},
        ).x
        _, beta, s2, pulled = fit(logs)
        u = np.array([math.exp(logs[0]) * pulled[who[train] == w].sum() for w in who[test]])
        variance = s2 * (1 + math.exp(logs[1]))  # the items of a fold are unknown
        rest = y[test] - x[test] @ beta - u
        out[test] = -0.5 * np.log(2 * np.pi * variance) - rest**2 / (2 * variance)
    return out.tolist()


def test_intercepts_of_reader_and_item_are_crossed() -> None:
    rng = np.random.default_rng(2)
    slow = {f"i{i}": 30 * rng.normal() for i in range(12)}
    table = [{**r, "RT": r["RT"] + slow[r["item"]]} for r in rows(people=3, words=4)]
    found = predictive_power(table, "RT", by=["who", "item"], folds=3, seed=4)
    assert (found.by, found.n_groups) == (("who", "item"), (3, 12))
    order = list(dict.fromkeys(r["item"] for r in table))
    folds = dict(zip(order, (np.random.default_rng(4).permutation(12) % 3).tolist()))
    base = ["index", "length"]
    without, with_ = (np.array(crossed(table, n, folds)) for n in (base, [*base, "surprisal_nats"]))
    assert found.log_likelihood == pytest.approx(without.mean(), abs=1e-5)
    assert found.models[0].gain == pytest.approx((with_ - without).mean(), abs=1e-5)
    alone = predictive_power(table, "RT", by="who", folds=3, seed=4)
    assert alone.models[0].gain != pytest.approx(found.models[0].gain, abs=1e-3)


def test_rows_without_numbers_are_left_out_for_all_models() -> None:
    table = rows()
    want = predictive_power(table[3:], "RT")
    for k, (name, cell) in enumerate(
        [("RT", "NA"), ("noise_surprisal_nats", None), ("surprisal_nats", math.inf)]
    ):
        table[k] = {**table[k], name: cell}
    found = predictive_power(table, "RT")
    assert (found.rows, found.left_out) == (len(table) - 3, 3)
    assert [m.gain for m in found.models] == [m.gain for m in want.models]
    assert found.first_words == sum(r["index"] == 0 for r in table[3:])


def test_gains_do_not_depend_on_units_and_log_times_are_taken() -> None:
    table = rows()
    found = predictive_power(table, "RT", by="who")
    scaled = [{**r, "RT": r["RT"] / 1000, "surprisal_nats": 1e4 + 7 * r["surprisal_nats"]} for r in table]
    other = predictive_power(scaled, "RT", by="who")
    assert other.models[0].gain == pytest.approx(found.models[0].gain, abs=1e-6)
    assert other.log_likelihood == pytest.approx(found.log_likelihood + math.log(1000), abs=1e-6)
    assert other.models[0].slope == pytest.approx(found.models[0].slope / 7000)
    logs = predictive_power([{**r, "RT": math.log(r["RT"])} for r in table], "RT")
    taken = predictive_power([*table, {**table[0], "RT": 0.0}], "RT", log=True)
    assert taken.models[0].gain == pytest.approx(logs.models[0].gain)
    assert taken.left_out == 1


def test_a_measured_table_goes_straight_in() -> None:
    texts = ["the cat sat", "a dog and dogs sat", "cats and dogs", "the dog sat and sat"]
    table = [{"item": i, "word": w} for i, t in enumerate(texts) for w in t.split()]
    measured = pofx.measure_stimuli({"a": BYTES, "b": ngram(order=1)}, table, previous=1)
    arrow = measured.to_arrow()
    rng = np.random.default_rng(0)
    times = [300 + 3 * s + rng.normal() for s in arrow["a_surprisal_nats"].to_pylist()]
    found = predictive_power(arrow.append_column("ms", pa.array(times)), "ms", baseline=["length"], folds=4)
    assert [m.predictors for m in found.models] == [
        (f"{m}_surprisal_nats", f"{m}_previous_1_surprisal_nats") for m in "ab"
    ]
    assert found.left_out == len(texts)
    assert found.first_words == 0
    assert found.models[0].gain > found.models[1].gain
    assert repr(found).startswith("PredictivePower(a Δ = ")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"time": "ms"}, "time: expected a column of the table, got 'ms'"),
        ({"by": "reader"}, "by: expected a column of the table, got 'reader'"),
        ({"baseline": ["x"]}, "baseline: expected a column of the table, got 'x'"),
        ({"baseline": "length"}, "baseline: expected a list of columns"),
        ({"surprisals": {"m": ["x"]}}, "surprisals: expected a column of the table, got 'x'"),
        ({"surprisals": {}}, "surprisals: expected columns of surprisals, got none"),
        ({"surprisals": {"m": ()}}, "surprisals: expected columns of surprisals, got none"),
        ({"time": "who"}, "expected a number in column 'who' of row 1, got 'p0'"),
        ({"time": "one"}, "time: expected times that differ"),
        ({"time": "length"}, "expected times that the predictors do not determine"),
        ({"time": "none"}, "expected at least two items and"),
        ({"item": "same"}, "expected at least two items and"),
        ({"folds": 1}, "folds: expected"),
    ],
)
def test_refusals(options: dict[str, Any], says: str) -> None:
    table = [{**r, "one": 1, "none": None, "same": 0} for r in rows(3)]
    with pytest.raises(pofx.BadValue) as refused:
        predictive_power(table, **{"time": "RT", **options})
    assert says in str(refused.value)
