"""Totals as columns equal the sums of the records of `score`."""

from __future__ import annotations

import numpy as np
import pytest

import pofx
from pofx.queries.scoring.totals import has_totals, score_totals
from pofx.vocab.words import ClassedWords, WordVocab
from toy import ToyLM

DOCUMENTS = ["the cat sat", "a cat", "the end", "", "é cat", "a b a b"]
WORDS = WordVocab(["a", "b", "cat", "the", "sat", "end", None])
MODELS = {
    "kneser-ney": lambda: pofx.fit(DOCUMENTS, pofx.NgramSpec(order=4)),
    "additive": lambda: pofx.fit(DOCUMENTS, pofx.NgramSpec(order=3, smoothing="additive")),
    "mle": lambda: pofx.fit(DOCUMENTS, pofx.NgramSpec(order=3, smoothing="mle")),
    "rounded": lambda: pofx.fit(DOCUMENTS, pofx.NgramSpec(order=3, quantize=8)),
    "no end": lambda: pofx.fit(DOCUMENTS, pofx.NgramSpec(order=3, end=False)),
    "unbounded": lambda: pofx.fit(DOCUMENTS, pofx.NgramSpec(order=None)),
    "toy": lambda: ToyLM(),
}


def check(lm: pofx.LM, texts: list[str | bytes]) -> None:
    assert has_totals(lm)
    found, records = score_totals(lm, texts), pofx.score(lm, texts)
    for i, r in enumerate(records):
        assert found.prefixes[i] == r.prefix_total
        if r.terms.end:
            assert found.complete is not None
            assert found.complete[i] == r.total
        assert (found.tokens[i], found.bytes[i]) == (r.terms.tokens, r.terms.bytes)
        assert (found.fitted[i], found.chosen[i]) == (r.terms.fitted, r.terms.chosen)
        assert found.unknown[i] == r.terms.unknown
    assert (found.complete is None) == (lm.vocab.end is None)


@pytest.mark.parametrize("name", MODELS)
def test_totals_are_the_sums_of_score(name: str) -> None:
    texts = ["abc", "", "a", "ccba"] if name == "toy" else [*DOCUMENTS, "ab" * 300, b"\xff\x00", "the cat"]
    check(MODELS[name](), texts)
    check(MODELS[name](), [])
    check(MODELS[name](), [""])


def test_unknown_words_are_counted() -> None:
    lm = pofx.fit(["the cat", "a cat"], pofx.NgramSpec(order=3, vocab=WORDS))
    check(lm, ["the cat", "", "a b a", b"cat"])
    with pytest.raises(pofx.NotText, match="dog"):
        score_totals(lm, ["the cat", "the dog"])
    with pytest.raises(pofx.NotText, match="two spaces"):
        score_totals(lm, ["the  cat"])
    lm.vocab = ClassedWords(WORDS.words)
    check(lm, ["the cat", "the dog", "dog dog"])
    assert score_totals(lm, ["the dog", "cat"]).unknown.tolist() == [1, 0]


def test_a_model_without_x0_is_refused() -> None:
    lm = pofx.fit(DOCUMENTS, pofx.NgramSpec(order=3, begin=False))
    with pytest.raises(pofx.NoBOS):
        score_totals(lm, ["a"])


def test_the_log_probs_of_a_family_are_those_of_the_default() -> None:
    lm = pofx.fit(DOCUMENTS, pofx.NgramSpec(order=4))
    ids, lengths = lm.vocab.encode_joined(["abc", "", "the"])
    own = lm.log_probs(ids, lengths)
    np.testing.assert_array_equal(own, pofx.LM.log_probs(lm, ids, lengths))
    with pytest.raises(IndexError):
        lm.log_probs(np.array([-1]), np.array([1]))
