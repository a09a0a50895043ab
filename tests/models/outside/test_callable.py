"""A function of the caller as an LM, or as a scorer."""

from __future__ import annotations

import math

import numpy as np
import pytest

import pofx
from laws import forward_is_extend
from laws import laws as hold_laws
from pofx.errors import BadValue, NoBOS, NotText
from pofx.models.outside.listed_vocab import ListedVocab
from toy import ToyLM, ToyVocab

TOY = ToyLM()


def law(ids: list[int]) -> np.ndarray:
    return TOY.row(ids)


def test_a_function_of_ids_obeys_every_law() -> None:
    lm = pofx.from_callable(law, TOY.vocab)
    hold_laws(lm)
    for text in ("", "a", "abcab"):
        assert pofx.log_prob(lm, text) == pytest.approx(pofx.log_prob(TOY, text), abs=1e-12)


def test_without_an_answer_for_the_empty_prefix_there_is_no_first_factor() -> None:
    lm = pofx.from_callable(law, ToyVocab(), begin=False)
    with pytest.raises(NoBOS, match="empty prefix"):
        pofx.log_prob(lm, "ab")
    assert pofx.log_prob(lm, "b", given="a") == pytest.approx(pofx.log_prob(TOY, "b", given="a"))


def test_a_vocabulary_by_its_bytes_takes_the_longest_token() -> None:
    vocab = ListedVocab([b"a", b"ab", b"b", None], 3)
    assert vocab.encode("abbaab") == [1, 2, 0, 1]
    with pytest.raises(NotText, match="offset 1"):
        vocab.encode("ax")
    lm = pofx.from_callable(
        lambda ids: np.full(4, -math.log(4)), token_bytes=[b"a", b"ab", b"b", None], end=3
    )
    assert pofx.log_prob(lm, "abb") == pytest.approx(-3 * math.log(4))


def test_a_scorer_gives_numbers_and_is_no_lm() -> None:
    scorer = pofx.from_callable(score=lambda text: [-1.0] * len(text), unit="character", name="toy")
    assert isinstance(scorer, pofx.Scorer)
    assert [list(a) for a in scorer.score(["ab", ""])] == [[-1.0, -1.0], []]
    assert not isinstance(scorer, pofx.LM)


def test_its_own_sampler_is_asked_for_ids() -> None:
    asked = []

    def sample(prefix: list[int], n: int, seed: int) -> list[int]:
        asked.append((prefix, n, seed))
        return [1] * n

    lm = pofx.from_callable(law, TOY.vocab, sample=sample)
    assert lm.own_draws([0, 2], 3, 5).tolist() == [1, 1, 1]
    assert asked == [([0, 2], 3, 5)]
    assert TOY.own_draws([], 1, 0) is None
    with pytest.raises(BadValue, match="sample: expected 2 ids"):
        pofx.from_callable(law, TOY.vocab, sample=lambda *_: [9, 9]).own_draws([], 2, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "next_logprobs: expected next_logprobs or score, got none"),
        (
            {"next_logprobs": law, "vocab": ToyVocab(), "ends": True},
            "ends: expected no value without score, got True",
        ),
        ({"next_logprobs": law}, "vocab: expected a vocabulary, or token_bytes and end, got neither"),
        ({"next_logprobs": law, "vocab": ToyVocab(), "token_bytes": [b"a"]}, "got both"),
        (
            {"next_logprobs": law, "vocab": ToyVocab(), "unit": "byte"},
            "unit: expected no value with next_logprobs, got 'byte'",
        ),
        ({"score": len, "vocab": ToyVocab()}, "vocab: expected no value without next_logprobs"),
        ({"score": len, "unit": "word"}, "unit: expected 'byte'"),
        ({"score": len, "alphabet": ["a", "a"]}, "alphabet: expected strings that differ"),
        ({"next_logprobs": law, "token_bytes": ["a"]}, "token_bytes: expected bytes"),
        (
            {"next_logprobs": law, "token_bytes": [b"a"], "end": 0},
            "end: expected None, or the id of a control token",
        ),
    ],
)
def test_refusals(arguments: dict, message: str) -> None:
    with pytest.raises(BadValue, match=message):
        pofx.from_callable(**arguments)


@pytest.mark.parametrize("answer", [[0.0, 0.0], [[0.0] * 4], ["a"] * 4])
def test_an_answer_of_another_shape_is_refused(answer: list) -> None:
    lm = pofx.from_callable(lambda ids: answer, TOY.vocab)
    with pytest.raises(BadValue, match="next_logprobs: expected 4 log-probabilities"):
        pofx.log_prob(lm, "a")


def test_a_score_that_is_one_number_is_refused() -> None:
    with pytest.raises(BadValue, match="score: expected one number a token"):
        pofx.from_callable(score=lambda text: -3.0).score(["a"])


def test_with_both_functions_whole_texts_are_scored_by_one_of_them() -> None:
    asked = []

    def score(text: str) -> list[float]:
        asked.append(text)
        ids = [*TOY.vocab.encode(text), TOY.vocab.end]
        return list(TOY.forward([ids]).logp[0])

    lm = pofx.from_callable(law, TOY.vocab, score=score, ends=True)
    assert pofx.log_prob(lm, "abc") == pytest.approx(pofx.log_prob(TOY, "abc"), abs=1e-12)
    assert asked == ["abc"]
    forward_is_extend(lm)
    without = pofx.from_callable(law, TOY.vocab, score=lambda text: score(text)[:-1])
    assert pofx.log_prob(without, "abc") == pytest.approx(pofx.log_prob(TOY, "abc"), abs=1e-12)
    opening = pofx.from_callable(law, TOY.vocab, score=lambda text: score(text)[:-1], begin=False)
    assert pofx.log_prob(opening, "b", given="a") == pytest.approx(pofx.log_prob(TOY, "b", given="a"))
    short = pofx.from_callable(law, TOY.vocab, score=lambda text: [-1.0])
    with pytest.raises(BadValue, match="score: expected 3 numbers for a text of 3 tokens, got 1"):
        pofx.log_prob(short, "abc")


def test_ids_that_no_text_has_are_scored_by_the_distributions() -> None:
    spelled = [b"a", b"ab", b"b", None]
    flat = np.full(4, -math.log(4))
    lm = pofx.from_callable(
        lambda ids: flat, token_bytes=spelled, end=3, score=lambda text: [-9.0] * len(text)
    )
    # "ab" is one token of `encode`, and "b", "a" are two.
    assert lm.forward([[0, 2]]).logp[0].tolist() == pytest.approx([-math.log(4)] * 2)
    assert lm.forward([[2, 0]]).logp[0].tolist() == [-9.0, -9.0]
