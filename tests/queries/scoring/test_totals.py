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


def check_log_probs(lm: pofx.LM, texts: list[str | bytes]) -> None:
    if lm.vocab.end is None:
        with pytest.raises(pofx.NoEOS):
            pofx.log_probs(lm, texts)
        return
    assert pofx.log_probs(lm, texts).tolist() == [r.total for r in pofx.score(lm, texts)]


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
    check_log_probs(MODELS[name](), texts)
    check_log_probs(MODELS[name](), [])


def test_log_probs_do_not_depend_on_the_cuts_between_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = MODELS["kneser-ney"]()
    texts = [*DOCUMENTS, "ab" * 30, "", b"\xff\x00", "", "the cat"]
    whole = pofx.log_probs(lm, texts)
    for characters in (1, 5, 11, 60):
        monkeypatch.setattr("pofx.queries.scoring.log_probs.CHARACTERS", characters)
        np.testing.assert_array_equal(pofx.log_probs(lm, texts), whole)


def test_log_probs_of_a_model_without_totals_are_those_of_the_records() -> None:
    lm = ToyLM().with_info(work=1)
    assert not has_totals(lm)
    check_log_probs(lm, ["abc", "", "a", "ccba"])


def test_log_probs_refuse_what_score_refuses() -> None:
    lm = MODELS["kneser-ney"]()
    with pytest.raises(pofx.BadValue, match="list of texts, got one text"):
        pofx.log_probs(lm, "the cat")
    for wrong in (["the cat", 5], ["the \ud800 cat"]):
        with pytest.raises(pofx.NotText):
            pofx.log_probs(lm, wrong)
    with pytest.raises(pofx.NoBOS):
        pofx.log_probs(pofx.fit(DOCUMENTS, pofx.NgramSpec(order=3, begin=False)), ["a"])


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
    check_log_probs(lm, ["the dog", "", b"cat"])
    for wrong in ("the  dog", "dog ", " "):
        with pytest.raises(pofx.NotText, match="two spaces"):
            score_totals(lm, ["the dog", wrong])


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
