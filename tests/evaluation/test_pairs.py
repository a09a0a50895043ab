"""Minimal pairs: verdicts by enumeration, EOS and x0 of either kind, and the comparison of two models."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import pofx
from pofx.algorithms.statistics.proportions import mcnemar, wilson
from pofx.errors import BadValue, NoEOS
from pofx.evaluation.comparison import compare
from pofx.evaluation.items import Pair
from pofx.evaluation.pairs import evaluate_pairs
from pofx.transforms.with_begin import with_begin
from toy import ToyLM, log_prefix, log_string

PAIRS = [
    Pair("ab", "ba", "1", "x"),
    Pair("abc", "ab", "2", "x"),
    Pair("c", "cc", "3", "y"),
    Pair("aab", "bba", "4", "y"),
    Pair("", "a", "5", "y"),
]


def test_margins_are_differences_of_log_probabilities() -> None:
    lm = ToyLM()
    report = evaluate_pairs(lm, PAIRS)
    ids = [[lm.vocab.encode(t) for t in (p.good, p.bad)] for p in PAIRS]
    whole = np.array([log_string(lm, a) - log_string(lm, b) for a, b in ids])
    open_ = np.array([log_prefix(lm, a) - log_prefix(lm, b) for a, b in ids])
    np.testing.assert_allclose(report.margins(), whole, atol=1e-12)
    np.testing.assert_allclose(report.margins(end=False), open_, atol=1e-12)
    np.testing.assert_allclose(evaluate_pairs(lm, PAIRS, end=False).margins(), open_, atol=1e-12)
    assert report.end
    assert report.whole.right == int((whole > 0).sum())
    assert report.end_changes == int(((whole > 0) != (open_ > 0)).sum())
    assert [g.group for g in report.groups] == ["x", "y"]
    assert [g.n for g in report.groups] == [2, 3]
    assert report.groups[1].margin == pytest.approx(whole[2:].mean())
    assert sum(g.right for g in report.groups) == report.whole.right


def test_verdicts_behind_another_x0_are_those_of_that_model() -> None:
    lm = pofx.fit(["ab", "abc", "ca", "b"], pofx.NgramSpec(order=2, begin=False))
    own, other = with_begin(lm, "a"), with_begin(lm, "c")
    assert own.bare() is not None
    report = evaluate_pairs(own, PAIRS, begins=True)
    names = {b.name: b for b in report.begins}
    assert "a" not in names  # the x0 that the model scores with
    assert names
    for name, found in names.items():
        again = evaluate_pairs(with_begin(lm, "\n" if name == "⏎" else name), PAIRS)
        assert found.right == again.whole.right
        assert found.changes == int((again.right != report.right).sum())
    assert evaluate_pairs(own, PAIRS).begins == ()
    with pytest.raises(BadValue, match="^begins: "):
        evaluate_pairs(own, PAIRS, given="a", begins=True)
    np.testing.assert_allclose(
        evaluate_pairs(other, PAIRS).margins(), evaluate_pairs(lm, PAIRS, given="c").margins(), atol=1e-12
    )


def test_a_model_without_eos() -> None:
    lm = pofx.fit(["ab", "abc", "ca", "b"], pofx.NgramSpec(order=2, end=False))
    report = evaluate_pairs(lm, PAIRS)
    assert not report.end
    assert report.end_changes is None
    with pytest.raises(NoEOS):
        evaluate_pairs(lm, PAIRS, end=True)


def test_two_impossible_texts_are_no_right_verdict() -> None:
    lm = pofx.fit(["ab"], pofx.NgramSpec(order=2, smoothing="mle"))
    report = evaluate_pairs(lm, [Pair("bb", "aa"), Pair("ab", "bb")])
    assert report.margins().tolist() == [0.0, np.inf]
    assert report.right.tolist() == [False, True]


def test_more_pairs_than_one_block() -> None:
    lm = ToyLM()
    many = [Pair("abc"[k % 3] * (1 + k % 5), "ca") for k in range(600) if "abc"[k % 3] * (1 + k % 5) != "ca"]
    whole = evaluate_pairs(lm, many)
    alone = np.concatenate([evaluate_pairs(lm, many[k : k + 7]).margins() for k in range(0, len(many), 7)])
    np.testing.assert_allclose(whole.margins(), alone, atol=1e-12)


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (3, 10), (10, 10), (0, 50), (777, 1000)])
def test_the_interval_is_that_of_scipy(right: int, n: int) -> None:
    expected = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (5, 5), (3, 11), (40, 20), (700, 640), (0, 1200)])
def test_mcnemar_is_the_binomial_test(b: int, c: int) -> None:
    expected = 1.0 if b + c == 0 else stats.binomtest(b, b + c).pvalue
    assert mcnemar(b, c) == pytest.approx(expected, rel=1e-9)


def test_a_comparison_counts_the_items_of_each_model_alone() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.random(400) < 0.7, rng.random(400) < 0.6
    found = compare(a, b)
    assert (found.only_first, found.only_second) == (int((a & ~b).sum()), int((b & ~a).sum()))
    assert found.difference == pytest.approx(a.mean() - b.mean())
    # A paired difference has this standard error; the bootstrap agrees within its own noise.
    error = np.std(a.astype(float) - b) / np.sqrt(400)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert compare(a, b) == found
    assert compare(a, a).p_value == 1.0
    with pytest.raises(BadValue):
        compare(a, b[:10])


def test_texts_of_equal_probability_have_no_right_one() -> None:
    # A model of single letters gives both the same terms in another order, whose sums differ by rounding.
    lm = pofx.fit(["the cat sat on the mat", "a dog ran"], pofx.NgramSpec(order=1))
    words = ["the", "cat", "sat", "on", "a", "dog", "and", "ran"]
    pairs = [Pair(" ".join(words), " ".join(words[k:] + words[:k])) for k in range(1, len(words))]
    report = evaluate_pairs(lm, pairs)
    assert np.any(report.margins() != 0)
    assert not report.right.any()
    assert report.end_changes == 0
