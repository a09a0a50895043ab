"""Automata over bytes are the sets they say they are, by going through all short strings."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st

import pofx
from pofx.algorithms.automata.automaton import (
    DEAD,
    MOST,
    Dfa,
    TooLarge,
    anything,
    both,
    containing,
    followed,
    of_length,
    opened,
    preceded,
    stopping,
)
from pofx.algorithms.automata.character_sets import POINTS
from pofx.algorithms.automata.utf8 import over_characters
from pofx.queries.conditioning.conditions import Contains
from pofx.queries.conditioning.token_automaton import TokenAutomaton
from pofx.vocab.vocabulary import ByteVocab

STRINGS = [bytes(w) for n in range(7) for w in itertools.product(b"abc", repeat=n)]


def check(dfa: Dfa, inside: Callable[[bytes], bool]) -> None:
    assert [w for w in STRINGS if dfa.accepts(w) != inside(w)] == []
    alive = dfa.accept.copy()
    for _ in range(dfa.size):  # every state but the dead one can still be accepted
        alive |= alive[dfa.next].any(axis=1)
    assert alive[DEAD + 1 :].all() and not alive[DEAD]


def test_the_sets_are_what_they_say() -> None:
    check(anything(), lambda w: True)
    check(of_length(3), lambda w: len(w) == 3)
    check(of_length(0), lambda w: w == b"")
    check(containing(b"aba"), lambda w: b"aba" in w)
    check(containing(b""), lambda w: True)
    check(followed(anything(), b"abab"), lambda w: w.endswith(b"abab"))
    check(followed(of_length(2), b"ab"), lambda w: len(w) == 4 and w.endswith(b"ab"))
    check(followed(containing(b"c"), b"cc"), lambda w: w.endswith(b"cc") and b"c" in w[:-2])
    check(followed(of_length(2), b""), lambda w: len(w) == 2)
    check(both(containing(b"ab"), containing(b"ca")), lambda w: b"ab" in w and b"ca" in w)
    check(both(containing(b"ab"), of_length(4)), lambda w: b"ab" in w and len(w) == 4)
    check(preceded(b"ab", followed(anything(), b"ba")), lambda w: w[:2] == b"ab" and w[2:].endswith(b"ba"))
    check(stopping(followed(anything(), b"ab")), lambda w: b"ab" in w)
    check(opened(of_length(2), ord("a")), lambda w: len(w.removeprefix(b"a")) == 2)


def test_the_empty_set_stays_empty() -> None:
    nothing = both(of_length(2), of_length(3))
    assert nothing.empty
    for dfa in (
        nothing,
        preceded(b"a", nothing),
        followed(nothing, b"a"),
        both(nothing, anything()),
        stopping(nothing),
        opened(nothing, 32),
    ):
        assert dfa.empty and not any(dfa.accepts(w) for w in STRINGS)


def test_knuth_morris_pratt_needs_a_state_a_byte() -> None:
    assert containing(b"abacabad").size == len(b"abacabad") + 2
    assert followed(anything(), b"abacabad").size == len(b"abacabad") + 2


@settings(max_examples=200, deadline=None)
@over(st.lists(st.sampled_from(b"ab"), max_size=9), st.lists(st.sampled_from(b"abc"), max_size=20))
def test_the_matcher_is_the_definition(word: list[int], text: list[int]) -> None:
    data = bytes(word)
    assert containing(data).accepts(bytes(text)) == (data in bytes(text))
    assert containing(data).size == len(data) + 2


@pytest.mark.thorough
def test_two_long_strings_are_refused_in_seconds() -> None:
    """Of 9,000 bytes each: the pairs of states are counted as they are reached, and not sorted anew at each step."""
    began = time.process_time()
    with pytest.raises(TooLarge):
        both(containing(b"the cat sat " * 750), containing(b"a dog ran" * 1000))
    assert time.process_time() - began < 30


def test_too_large_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pofx.algorithms.automata.automaton.MOST", 500)
    for make in (
        lambda: of_length(500),
        lambda: preceded(b"a" * 500, anything()),
        lambda: followed(of_length(300), b"ab" * 150),
        lambda: both(of_length(120), containing(b"ab" * 60)),
    ):
        with pytest.raises(TooLarge):
            make()
    with pytest.raises(pofx.BadValue, match="expected a condition of at most .* states"):
        pofx.Length(600).automaton()
    monkeypatch.undo()
    assert both(of_length(60), containing(b"ab" * 30)).size < MOST


def repeated(lo: int, hi: int) -> Dfa:
    """The strings of characters from lo to hi."""
    bounds = np.unique([0, lo, hi + 1, POINTS])
    classes = ((bounds[:-1] >= lo) & (bounds[:-1] <= hi)).astype(np.int64)
    return over_characters(bounds, classes, np.array([[0, 0], [0, 1]]), np.array([False, True]), 1)


def is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


ODD = [
    b"a", "é€😀".encode(), b"\xc0\x80", b"\xc1\xbf", b"\xed\xa0\x80", b"\xed\x9f\xbf", b"\xf4\x90\x80\x80",
    b"\xf4\x8f\xbf\xbf", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xe0\xa0\x80", b"\xf0\x8f\xbf\xbf", b"\xf0\x90\x80\x80",
    b"\xff", b"\xc3", b"\x80", b"", b"\xe2\x82", "\ud7ff\ue000\uffff\U00010000".encode(),
]  # fmt: skip


@pytest.mark.parametrize("data", ODD)
def test_all_characters_are_all_valid_utf8(data: bytes) -> None:
    assert repeated(0, POINTS - 1).accepts(data) == is_utf8(data)


@over(st.binary(max_size=5))
def test_of_bytes_at_random(data: bytes) -> None:
    assert repeated(0, POINTS - 1).accepts(data) == is_utf8(data)


@settings(deadline=None)
@over(st.text(max_size=4), st.integers(0, 0x10FFFF), st.integers(0, 0x10FFFF))
def test_ranges_of_characters(text: str, a: int, b: int) -> None:
    lo, hi = sorted((a, b))
    dfa = repeated(lo, hi)
    assert dfa.accepts(text.encode()) == all(lo <= ord(c) <= hi for c in text)
    for edge in (lo, hi, lo - 1, hi + 1):
        if 0 <= edge <= 0x10FFFF and not 0xD800 <= edge <= 0xDFFF:
            assert dfa.accepts(chr(edge).encode()) == (lo <= edge <= hi)


def test_tokens_move_it_by_their_bytes() -> None:
    dfa = containing(b"abc")
    spelled = (b"ab", b"a", None, b"bcab", b"c", b"", b"abcabc", b"\xff")
    seen = TokenAutomaton(dfa, spelled, None)
    for q in seen.states.tolist():
        expected = [dfa.after(b, q) if b else DEAD for b in spelled]
        assert seen.next_states(q).tolist() == expected
    source, to, mass = seen.moves(np.arange(8.0))
    assert mass.sum() == len(seen.states) * (0 + 1 + 3 + 4 + 6 + 7)
    assert set(to.tolist()) <= set(seen.states.tolist()) and (np.diff(source) >= 0).all()


def test_the_ending_token_moves_nothing_even_if_it_spells_something() -> None:
    seen = TokenAutomaton(anything(), (b"a", b"b"), 1)
    assert seen.next_states(1).tolist() == [1, DEAD]


def test_moves_that_are_not_kept_are_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    vocab = ByteVocab()
    dfa = containing(b"hello")
    kept = TokenAutomaton(dfa, vocab.token_bytes, vocab.end)
    monkeypatch.setattr("pofx.queries.conditioning.token_automaton.KEPT", 300)
    fresh = TokenAutomaton(dfa, vocab.token_bytes, vocab.end)
    for q in (1, 2, 3, 1, 2):
        assert (kept.next_states(q) == fresh.next_states(q)).all()
    assert len(fresh._known) == 1


def test_a_string_of_too_many_states_is_refused_before_any_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "pofx.algorithms.automata.automaton.trimmed", lambda *a: pytest.fail("states were made")
    )
    monkeypatch.setattr(np, "unique", lambda *a: pytest.fail("states were made"))
    with pytest.raises(TooLarge):
        followed(anything(), b"ab" * 10**6)
    with pytest.raises(pofx.BadValue, match="at most 10,000 states"):
        Contains("ab" * 10**6).automaton()
