"""What users' texts and strange vocabularies do to the string queries: a right answer, or one line that says why not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pofx
from byte_toys import Pieces, Toy, toy
from pofx.errors import Impossible, NoBOS, NotText, PofxError, TooLong
from pofx.lm.model import LM
from pofx.queries.marginal.marginal import marginal
from pofx.queries.next_unit.next import next_token
from pofx.queries.sample import sample
from pofx.queries.scoring.score import log_prob, prefix_log_prob, score
from pofx.queries.words.words import words
from pofx.transforms.bytewise import expansion as candidates
from pofx.transforms.bytewise import sorted_tokens
from pofx.transforms.bytewise.bytewise import bytewise
from pofx.transforms.given_string import given_string
from pofx.vocab.subwords import SubwordVocab

LM_ = toy()
# Smoothed: every text has a probability.
LINES = ["the cat sat", "a cat and a hat", "that hat", "été"] * 4
BPE = pofx.fit(LINES, pofx.NgramSpec(order=3, vocab=SubwordVocab.learn(LINES, 290)))

# Each of the queries that take a prefix, as a function of it.
BEHIND: dict[str, Callable[[LM, Any], object]] = {
    "score": lambda lm, x: log_prob(lm, "a", x),
    "exact": lambda lm, x: log_prob(lm, "a", x, boundary="exact"),
    "prefix": lambda lm, x: prefix_log_prob(lm, "a", x, boundary="exact"),
    "sample": lambda lm, x: sample(lm, 1, x, max_tokens=2, seed=0)[0].total,
    "byte": lambda lm, x: next_token(lm, x, 3, unit="byte").top[0].logp,
    "character": lambda lm, x: next_token(lm, x, 3, unit="character").top[0].logp,
    "word": lambda lm, x: next_token(lm, x, 3, unit="word").top[0].logp,
}


@pytest.mark.parametrize("query", BEHIND)
def test_an_empty_prefix_is_none(query: str) -> None:
    for empty in ("", b""):
        value = BEHIND[query](LM_, empty)
        assert isinstance(value, float)
        assert math.isfinite(value)
    with pytest.raises(NoBOS, match="given="):
        BEHIND[query](toy(begin=False), "")
    assert given_string(LM_, "").tail == b""


@pytest.mark.parametrize("query", BEHIND)
@pytest.mark.parametrize("prefix", ["bcb", b"x", b"ab\xff", "naïve text without any token of it"])
def test_a_prefix_that_no_token_covers(query: str, prefix: str | bytes) -> None:
    """Never a nan, and never an answer."""
    with pytest.raises((Impossible, NotText)) as caught:
        BEHIND[query](LM_, prefix)
    assert "got" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_prefix_of_tokens_that_the_model_excludes() -> None:
    lm = pofx.fit(
        ["ab", "abab"], pofx.NgramSpec(order=2, smoothing="mle", vocab=SubwordVocab.learn(["abab"] * 9, 258))
    )
    for query in BEHIND.values():
        with pytest.raises(Impossible, match="P = 0"):
            query(lm, "ba")


@pytest.mark.parametrize("query", BEHIND)
@pytest.mark.parametrize(
    "prefix", [b"caf\xc3", b"\xff", b"\x80\x80", b"a\xed\xa0\x80", b"\xf0\x9f", "\u0301", "\x00", "�"]
)
def test_bytes_that_are_no_characters(query: str, prefix: str | bytes) -> None:
    value = BEHIND[query](BPE, prefix)
    assert isinstance(value, float)
    assert math.isfinite(value)


def test_half_a_character_at_both_ends() -> None:
    strings = bytewise(BPE)
    whole = "été".encode()
    for x, y in (
        (whole[:1], whole[1:4]),
        (whole[:4], whole[4:]),
        (b"a" + whole[:1], b"\xff"),
    ):
        expected = log_prob(strings, x + y) - prefix_log_prob(strings, x)
        lo, hi = score(BPE, [y], x, boundary="exact")[0].interval
        assert lo - 1e-9 <= expected <= hi + 1e-9
        assert log_prob(BPE, y, x) == pytest.approx(expected, abs=1e-2)
    assert marginal(BPE, whole[:4]).total == pytest.approx(log_prob(strings, whole[:4]), abs=1e-9)
    shown = next_token(BPE, whole[:1], 3, unit="character").top[0]
    assert shown.bytes == whole[1:2]


@pytest.mark.parametrize("surrogate", ["\ud800", "a\udc80b"])
def test_lone_surrogates(surrogate: str) -> None:
    for query in BEHIND.values():
        with pytest.raises(NotText, match="lone surrogate"):
            query(BPE, surrogate)
    for ask in (lambda: marginal(BPE, surrogate), lambda: words(bytewise(BPE), [surrogate])):
        with pytest.raises(NotText, match="lone surrogate"):
            ask()
    with pytest.raises(PofxError, match="expected"):
        score(BPE, ["a"], given=7, boundary="exact")  # type: ignore[arg-type]


# Halves of characters are tokens, and no other token has the whole: é and ü share their first half.
HALVES = (b"a", b" ", b"\xc3", b"\xa9", b"\xbc", None)


def test_a_token_that_is_half_a_character() -> None:
    lm = Toy(Pieces(HALVES, 5), memory=2)
    strings = bytewise(lm)
    for x in ("é", "aé", "éü", "a é"):
        assert log_prob(strings, x) == pytest.approx(log_prob(lm, x), abs=1e-12)
        assert marginal(lm, x).total == pytest.approx(log_prob(lm, x), abs=1e-12)
    law = {a.shown: a for a in next_token(lm, "a", 9, unit="character").top}
    assert {"é", "ü", "a", "␣", "EOS"} <= set(law)
    assert math.exp(law["é"].logp) == pytest.approx(
        math.exp(prefix_log_prob(lm, "é", given="a", boundary="exact"))
    )
    (found,) = words(strings, ["aé ü"])
    assert -sum(w.surprisal for w in found.words) == pytest.approx(found.total)
    assert found.total == pytest.approx(log_prob(strings, "aé ü"), abs=1e-9)
    for d in sample(lm, 20, b"a\xc3", max_tokens=3, seed=1):
        assert d.bytes[:1] in (b"", b"\xa9", b"\xbc", b"a", b" ", b"\xc3")


# ------------------------------------------------------------------------------------------------------- sizes


def kilobytes(n: int) -> str:
    return ("the cat and that hat sat. " * (n * 40))[: n * 1000]


def test_a_text_of_a_hundred_kilobytes() -> None:
    text = kilobytes(100)
    lm = BPE
    s = score(lm, [text + "x"], "the ca")[0]  # mid-word: only the join is healed
    assert s.terms.boundary == "healed"
    assert s.terms.bytes == 100_001
    assert math.isfinite(s.total)
    assert s.interval[0] <= s.total <= s.interval[1]
    long = score(lm, ["t"], text + "the ca")[0]
    assert long.terms.boundary == "exact"
    assert long.total == pytest.approx(log_prob(lm, "t", text[-40:] + "the ca", boundary="exact"), abs=1e-3)
    assert next_token(lm, text + "the ca", 1, unit="word", calls=9).top[0].bytes == b"t"
    assert len(sample(lm, 1, text + "the ca", max_tokens=3, seed=0)) == 1


@pytest.mark.thorough
def test_a_text_of_kilobytes_byte_by_byte() -> None:
    lm = bytewise(Toy(Pieces((b"a", b"b", b"ab", b"ba", None), 4), memory=1), 3)
    (s,) = score(lm, ["ab" * 100])
    assert math.isfinite(s.total)
    assert s.interval[0] <= s.total <= s.interval[1]
    held = lm.extend(lm.start(1), [list(b"ab" * 100)]).carry
    assert len(held.row) < 40  # what is held does not grow with the text


def test_an_exact_sum_that_cannot_be_held_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "MOST", 2000)
    with pytest.raises(TooLong, match="beam=5"):
        log_prob(bytewise(LM_), "ab" * 500)


def test_a_marginal_of_a_long_text_stays_in_its_budget() -> None:
    class Forgetful(Toy):
        """One of which it is not known how far it looks back."""

        @property
        def memory(self) -> None:  # type: ignore[override]
            return None

        @memory.setter
        def memory(self, value: int) -> None:
            self.far = value

        def row(self, history):
            known = [int(h) for h in history if h >= 0][-2:]
            return np.log(np.array([0.3, 0.2, 0.2, 0.1, 0.2]) + 0.0 * len(known))

        def start(self, n):
            return self._state(np.full((n, 2), -1))

        def extend(self, state, ids):
            new = np.asarray(ids, dtype=np.int64).reshape(state.n, -1)
            return self._state(np.concatenate([state.carry, new], axis=1)[:, -2:])

    lm = Forgetful(Pieces((b"a", b"b", b"ab", b"ba", None), 4))
    found = marginal(lm, "ab" * 500, calls=30)
    assert found.kind == "lower"
    assert found.calls <= 31
    assert found.canonical <= found.lower


def test_caches_have_a_size() -> None:
    sizes = [sorted_tokens.sorted_tokens.cache_info().maxsize]
    assert all(size is not None and size <= 8 for size in sizes)
    for k in range(20):
        bytewise(Toy(Pieces((b"a", bytes([98 + k]), None), 2), memory=1)).start(1)
    assert sorted_tokens.sorted_tokens.cache_info().currsize <= 8


def test_a_vocabulary_that_spells_nothing() -> None:
    for query in (BEHIND["exact"], BEHIND["byte"], BEHIND["word"]):
        with pytest.raises(PofxError, match="expected"):
            query(Toy(Pieces((None, None), 1), memory=1), "a")


def test_words_of_a_string_model() -> None:
    lm = bytewise(BPE)
    (found,) = words(lm, ["the cat sat"])
    assert [w.text for w in found.words] == ["the", "cat", "sat"]
    assert found.total == pytest.approx(log_prob(lm, "the cat sat"), abs=1e-9)
    assert -sum(w.surprisal for w in found.words) == pytest.approx(found.total)
    boundary = [9, 10, 11, 12, 13, 28, 29, 30, 31, 32]

    def up_to(text: str) -> float:
        """log P(text, then a boundary)."""
        law = np.exp(lm.extend(lm.start(1), [list(text.encode())]).logp[0])
        openings = [*boundary, 0xC2, 0xE1, 0xE2, 0xE3, 256]
        return prefix_log_prob(lm, text) + math.log(law[openings].sum())

    assert found.words[0].surprisal == pytest.approx(-up_to("the"), abs=1e-6)
    assert found.words[1].surprisal == pytest.approx(up_to("the") - up_to("the cat"), abs=1e-6)
    (narrow,) = words(bytewise(BPE, 2), ["the cat"])
    assert narrow.terms.kind == "interval"
    assert -sum(w.surprisal for w in narrow.words) == pytest.approx(narrow.total)
    (behind,) = words(lm, ["at sat"], given="the c")
    assert behind.total == pytest.approx(log_prob(BPE, "at sat", "the c", boundary="exact"), abs=1e-6)
