"""Patterns of words: the matches are those of `re`, and no pattern holds a run up for long."""

from __future__ import annotations

import re
import signal
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pofx
from pofx.algorithms.automata.linear_patterns import for_re2
from pofx.algorithms.automata.steady_patterns import is_steady
from pofx.queries.segmentation.pattern_spans import _compiled, _in_time, matches_in_process, pattern_spans
from pofx.queries.segmentation.word_rule import WordRule

SLOW = r"(?:(?=a)a|a)*b"  # look-around keeps RE2 from it, and 2^n ways keep `re` at it


def _patterns() -> st.SearchStrategy[str]:
    """Groups, alternatives and repeats of three letters; any part may match nothing."""

    def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.tuples(inner, st.sampled_from(["*", "+", "?", "*?", "+?", "??", "{2}", "{0,2}", "{2,}"])).map(
                lambda x: f"(?:{x[0]}){x[1]}"
            ),
            st.lists(inner, min_size=2, max_size=3).map(lambda x: f"(?:{'|'.join(x)})"),
            st.lists(inner, min_size=2, max_size=3).map("".join),
        )

    return st.recursive(st.sampled_from(["a", "b", "é", "", "[ab]", "."]), grown, max_leaves=6)


@pytest.fixture
def re_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    _compiled.cache_clear()


@pytest.mark.parametrize(
    "pattern",
    ["a+", r"\w+", r"(?i:straße|k+)", r"[^\W\d_]+", "a+?b|a", "(?s:.)x", "é|.", "(a|ab)(c|bcd)", r"\S+", "[]a]+", "(?x) a b"],
)  # fmt: skip
def test_re2_finds_what_re_finds(pattern: str) -> None:
    pytest.importorskip("re2")
    compiled = re.compile(pattern)
    text = "aab abcd ÉéK \u212a٣a_1 STRAßE straſſe a\nx]a 😀é\u2003ab"
    assert _compiled(compiled) is not None
    assert pattern_spans(compiled, text, 60) == [m.span() for m in compiled.finditer(text)] != []


@pytest.mark.parametrize(
    "pattern",
    [
        "a*?",
        "(?:|a)*b",
        "^a",
        "a$",
        r"\ba",
        "(?=a)a",
        r"(a)\1",
        "a++",
        "(?>a)",
        "(?!a)b",
        "[^\\s\\S]",
        r"(?a:\W)b",
    ],
)
def test_what_means_something_else_to_re2_is_left_to_re(pattern: str) -> None:
    assert for_re2(re.compile(pattern)) is None
    compiled = re.compile(pattern)
    for text in ("", "aab aa b", "a\udcff\nb"):
        expected = [m.span() for m in compiled.finditer(text) if m.end() > m.start()]
        assert pattern_spans(compiled, text, 60) == expected


def test_a_stray_byte_is_no_text_of_re2() -> None:
    assert pattern_spans(re.compile("[^ ]+"), "a\udcff b", 60) == [(0, 2), (3, 4)]


def test_repeats_within_repeats_take_linear_time() -> None:
    pytest.importorskip("re2")
    text = "a" * 3000
    assert pattern_spans(re.compile("(a|a)*b"), text, 30) == []
    assert pattern_spans(re.compile("(a|a)*b"), text + "b", 30) == [(0, 3001)]


def test_what_takes_too_long_is_refused_in_one_line() -> None:
    handler, timer = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    with pytest.raises(
        pofx.BadValue, match=r"pattern: expected .* within 0.2 s, got .*pattern_seconds=…\)$"
    ) as e:
        pattern_spans(re.compile(SLOW), "a" * 3000, 0.2)
    assert str(e.value).isprintable()
    assert signal.getsignal(signal.SIGALRM) == handler
    after = signal.getitimer(signal.ITIMER_REAL)
    assert (after[0] > 0) == (timer[0] > 0) and after[0] <= timer[0]  # the limit of the test itself


def test_one_match_each_of_which_reads_the_whole_text_is_refused_too() -> None:
    pytest.importorskip("re2")
    with pytest.raises(pofx.BadValue, match="within 0.05 s"):
        pattern_spans(re.compile("a+b|a"), "a" * 200_000, 0.05)


@settings(max_examples=150, deadline=None)
@given(_patterns(), st.lists(st.text("abé", max_size=9), min_size=4, max_size=4))
def test_generated_patterns_find_what_re_finds(pattern: str, texts: list[str]) -> None:
    pytest.importorskip("re2")
    compiled = re.compile(pattern)
    linear = _compiled(compiled)
    for text in texts:
        wanted = [m.span() for m in compiled.finditer(text) if m.end() > m.start()]
        assert pattern_spans(compiled, text, 60) == wanted
        if linear is not None:
            assert _in_time(linear, text, 60) == wanted, for_re2(compiled)


STEADY = [
    ".",
    r"\w+",
    r"\w+(?:['’-]\w+)*",
    r"[A-Z]?[a-z]+|\d+|\S",
    r"(?<!x)a",
    r"\b\w",
    "a*",
    "(a+ ?)*",
    "(?:a|ab)*",
    "a{2,5}b?",
]
UNSTEADY = [
    "(a|a)*b",
    "a+b",
    "(a*)*b",
    r"(\w+\s?)*$",
    "(?:a?){40}b",
    r"(?=a*b)a",
    r"(a+)\1",
    "a++b",
    "(a+b?){3}",
    "(a|b|ab){30}",
]


@pytest.mark.parametrize("pattern", STEADY)
def test_steady_patterns_are_left_to_re(pattern: str) -> None:
    compiled = re.compile(pattern)
    assert is_steady(compiled)
    started = time.process_time()
    for part in ("a", "ab", "x ", "a-", "é"):
        pattern_spans(compiled, part * 30_000, 1)
    assert time.process_time() - started < 10  # a step too many a character took an hour


@pytest.mark.parametrize("pattern", UNSTEADY)
def test_unsteady_patterns_are_not(pattern: str) -> None:
    assert not is_steady(re.compile(pattern))


def test_repeats_of_repeats_take_no_time_at_all() -> None:
    pytest.importorskip("re2")
    pattern = re.compile("((((((a*)*)*)*)*)*)*b")
    assert pattern_spans(pattern, "a" * 3000, 30) == []
    assert pattern_spans(pattern, "a" * 3000 + "b", 30) == [(0, 3001)]


def test_without_re2_the_deadline_is_there(re_alone: None) -> None:
    assert pattern_spans(re.compile("a+"), "baab", 60) == [(1, 3)]
    with pytest.raises(pofx.BadValue, match="within 0.1 s"):
        pattern_spans(re.compile("(a|a)*b"), "a" * 3000, 0.1)


def test_another_thread_has_no_signals_and_the_same_matches() -> None:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(pattern_spans(re.compile(r"\ba"), "a ab", 5)))
    thread.start()
    thread.join()
    assert found == [[(0, 1), (2, 3)]]


@pytest.mark.parametrize("pattern", [SLOW, r"(\w+\s?)*$"])
def test_another_thread_has_the_deadline_too(pattern: str) -> None:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            pattern_spans(re.compile(pattern), "a" * 3000 + "!", 0.2)
        except pofx.BadValue as e:
            raised.append(e)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert "within 0.2 s" in str(raised[0])


@pytest.mark.parametrize("text", ["", "a ab\n", "é a\udcff a", "a" * 5000])
def test_a_process_of_its_own_finds_what_re_finds(text: str) -> None:
    pattern = re.compile(r"(?i)\bA+(?=a|\b)|\udcff")
    assert matches_in_process(pattern, text, 60) == [m.span() for m in pattern.finditer(text)]


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "1"])
def test_seconds_are_a_positive_number(seconds: float) -> None:
    with pytest.raises(pofx.BadValue, match="pattern_seconds"):
        WordRule(re.compile("a"), seconds=seconds)
