"""Patterns of words: the matches are those of `re`, and no pattern holds a run up for long."""

from __future__ import annotations

import re
import signal
import sys
import threading

import pytest

import pofx
from pofx.algorithms.linear import for_re2
from pofx.queries.pattern_spans import _compiled, pattern_spans
from pofx.queries.units import Units

SLOW = r"(?:(?=a)a|a)*b"  # look-around keeps RE2 from it, and 2^n ways keep `re` at it


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
        "a*",
        "^a",
        "a$",
        r"\ba",
        "(?=a)a",
        r"(a)\1",
        "a++",
        "(?>a)",
        "(?:a|)+b",
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
        pofx.BadValue, match=r"pattern: expected .* within 0.2 s, found .*--pattern-seconds\)$"
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


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "1"])
def test_seconds_are_a_positive_number(seconds: float) -> None:
    with pytest.raises(pofx.BadValue, match="pattern_seconds"):
        Units(re.compile("a"), seconds=seconds)
