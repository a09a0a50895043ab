"""Questions with choices: every number by enumeration over a toy, and every rule by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

import pofx
from pofx.errors import BadValue, NoEOS
from pofx.evaluation.choice_report import RULES
from pofx.evaluation.choices import evaluate_choices
from pofx.evaluation.items import ChoiceItem
from pofx.lm.model import LM
from toy import ToyLM, log_prefix

ITEMS = [
    ChoiceItem("a", ("b", "bb", "cab"), 0, "one", "x"),
    ChoiceItem("", ("ab", "c"), 1, "two", "x"),
    ChoiceItem("abc", ("a", "b", "c", "aa"), 2, "three", "y"),
    ChoiceItem("ca", ("b", "ba"), 1, "four", "y"),
]


def by_hand(lm: LM, item: ChoiceItem) -> dict[str, list[float]]:
    """The numbers of an item by `start` and `extend` alone."""
    before = lm.vocab.encode(item.context)
    cut = [lm.vocab.encode(c) for c in item.choices]
    log_p = [log_prefix(lm, [*before, *c]) - log_prefix(lm, before) for c in cut]
    alone = [log_prefix(lm, c) for c in cut]
    end = [log_prefix(lm, [*before, *c, lm.vocab.end]) - log_prefix(lm, [*before, *c]) for c in cut]
    sizes = [len(c) for c in item.choices]
    return {
        "log-p": log_p,
        "per-byte": [x / n for x, n in zip(log_p, sizes)],
        "per-token": [x / len(c) for x, c in zip(log_p, cut)],
        "pmi": [x - y for x, y in zip(log_p, alone)],
        "end": end,
    }


@pytest.mark.parametrize("end", [False, True])
def test_every_rule_is_the_chain_rule_by_hand(end: bool) -> None:
    lm = ToyLM()
    report = evaluate_choices(lm, ITEMS, end=end, between="")
    loss, brier = [], []
    for scored, item in zip(report.items, ITEMS):
        hand = by_hand(lm, item)
        sizes = np.array([len(c) for c in item.choices])
        added = np.array(hand["end"]) if end else 0.0
        expected = {
            "log-p": np.array(hand["log-p"]) + added,
            "per-byte": (np.array(hand["log-p"]) + added) / sizes,
            "per-token": (np.array(hand["log-p"]) + added) / (sizes + end),
            "pmi": np.array(hand["pmi"]),
        }
        for rule in RULES:
            values = scored.values(rule, end)
            assert values is not None
            np.testing.assert_allclose(values, expected[rule], atol=1e-12)
        p = np.exp(expected["log-p"]) / np.exp(expected["log-p"]).sum()
        loss.append(-math.log(p[item.label]))
        brier.append(float(((p - np.eye(len(p))[item.label]) ** 2).sum()))
    assert report.calibration.log_loss == pytest.approx(np.mean(loss), abs=1e-12)
    assert report.brier == pytest.approx(np.mean(brier), abs=1e-12)
    assert report.chance == pytest.approx(np.mean([1 / 3, 1 / 2, 1 / 4, 1 / 2]))
    gold = -sum(by_hand(lm, i)["log-p"][i.label] for i in ITEMS) / math.log(2)
    assert report.bits_per_byte == pytest.approx(gold / sum(len(i.choices[i.label]) for i in ITEMS))


def test_accuracy_and_the_verdicts_that_eos_changes() -> None:
    lm = ToyLM()
    report, other = (evaluate_choices(lm, ITEMS, end=end, between="") for end in (False, True))
    for rule, found in zip(RULES, report.rules):
        assert found.rule == rule
        answers, ended = report.answers(rule), other.answers(rule)
        assert answers is not None
        assert ended is not None
        expected = [int(np.argmax(by_hand(lm, i)[rule])) for i in ITEMS if rule != "pmi" or i.context]
        kept = [a for a, i in zip(answers.tolist(), ITEMS) if rule != "pmi" or i.context]
        assert kept == expected
        assert found.right == sum(a == i.label for a, i in zip(answers, ITEMS))
        assert found.end_changes == (None if rule == "pmi" else int((answers != ended).sum()))
    right = report.right
    assert report.groups() == {"x": (int(right[:2].sum()), 2), "y": (int(right[2:].sum()), 2)}


def test_without_a_context_pmi_has_no_answer() -> None:
    report = evaluate_choices(ToyLM(), [ITEMS[1]], between="")
    assert report.answers("pmi").tolist() == [-1]  # type: ignore[union-attr]
    neutral = evaluate_choices(ToyLM(), [ITEMS[1]], between="", neutral="b")
    assert neutral.answers("pmi").tolist() != [-1]  # type: ignore[union-attr]


def test_the_string_between_context_and_choice() -> None:
    lm = pofx.fit(["a b", "a c", "a b"], pofx.NgramSpec(order=2))
    (spaced,) = evaluate_choices(lm, [ChoiceItem("a", ("b", "c"), 0)]).items
    (written,) = evaluate_choices(lm, [ChoiceItem("a ", ("b", "c"), 0)]).items
    (joined,) = evaluate_choices(lm, [ChoiceItem("a", ("b", "c"), 0)], between="").items
    assert spaced.log_p[0] == pytest.approx(pofx.prefix_log_prob(lm, " b", "a"))
    assert written.log_p[0] == pytest.approx(pofx.prefix_log_prob(lm, "b", "a "))
    assert joined.log_p[0] == pytest.approx(pofx.prefix_log_prob(lm, "b", "a"))
    assert spaced.bytes.tolist() == [1, 1]


def test_a_model_without_x0_has_no_pmi_and_one_without_eos_no_end() -> None:
    lm = pofx.fit(["a b", "a c"], pofx.NgramSpec(order=2, begin=False, end=False))
    items = [ChoiceItem("a", ("b", "c"), 0)]
    report = evaluate_choices(lm, items)
    assert [r.rule for r in report.rules] == ["log-p", "per-byte", "per-token"]
    assert "p(x1)" in report.no_pmi
    assert all(r.end_changes is None for r in report.rules)
    assert evaluate_choices(lm, items, neutral="c").no_pmi == ""
    with pytest.raises(NoEOS):
        evaluate_choices(lm, items, end=True)


def test_impossible_choices_have_no_answer() -> None:
    lm = pofx.fit(["ab", "ac"], pofx.NgramSpec(order=2, smoothing="mle"))
    report = evaluate_choices(lm, [ChoiceItem("a", ("ca", "ba"), 0)], between="")
    assert np.all(np.isneginf(report.items[0].log_p))
    assert report.answers().tolist() == [-1]  # type: ignore[union-attr]
    assert report.rules[0].right == 0
    assert np.exp(report.log_posterior).tolist() == [[0.5, 0.5]]


def test_tables_of_other_libraries_are_items() -> None:
    rows = [{"context": i.context, "choices": list(i.choices), "label": i.label, "id": i.id} for i in ITEMS]
    pa = pytest.importorskip("pyarrow")
    lm = ToyLM()
    own = evaluate_choices(lm, ITEMS, between="")
    for table in (rows, pa.Table.from_pylist(rows)):
        found = evaluate_choices(lm, table, between="")
        assert found.rules == own.rules
        assert [s.item.id for s in found.items] == [i.id for i in ITEMS]
    out = own.to_arrow()
    assert out.num_rows == sum(len(i.choices) for i in ITEMS)
    sums = (
        out.group_by("id").aggregate([("posterior", "sum"), ("right", "sum"), ("chosen", "sum")]).to_pylist()
    )
    for row in sums:
        assert row["posterior_sum"] == pytest.approx(1)
        assert row["right_sum"] == row["chosen_sum"] == 1


def test_many_items_have_the_numbers_of_each_alone() -> None:
    lm = ToyLM()
    many = [ChoiceItem("abc"[k % 3] * (k % 4), ("a", "bc"), k % 2, str(k)) for k in range(150)]
    whole = evaluate_choices(lm, many, between="")
    for k in (0, 63, 64, 149):
        (one,) = evaluate_choices(lm, [many[k]], between="").items
        np.testing.assert_array_equal(whole.items[k].log_p, one.log_p)


@pytest.mark.parametrize(
    "items", [[], "abc", [{"context": "a"}], [3], [{"context": "a", "choices": ["b"], "label": 0}]]
)
def test_rows_that_hold_no_item_are_refused(items: object) -> None:
    with pytest.raises(BadValue):
        evaluate_choices(ToyLM(), items)
