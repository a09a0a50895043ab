"""The matches of a user's pattern: in linear time where possible, and always within a deadline."""

from __future__ import annotations

import importlib.util
import json
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pofx.algorithms.automata.linear_patterns import for_re2
from pofx.algorithms.automata.steady_patterns import is_steady
from pofx.errors import Advice, BadValue
from pofx.queries.segmentation.characters import byte_offsets, has_surrogates
from pofx.units import count_noun

Span = tuple[int, int]

CHILD = Path(__file__).with_name("matches_child.py")
GRACE = 20.0  # seconds: the longest start of Python on a busy machine


class _Late(Exception):
    """The deadline has passed."""


def pattern_spans(pattern: re.Pattern[str], text: str, seconds: float) -> list[Span]:
    """Find the matches of `re.finditer` that are not empty.

    `re` finds the matches of a pattern on which `re` cannot backtrack far (`is_steady`). RE2 finds the matches of other
    patterns, if RE2 is installed and the pattern has the same matches in RE2. Otherwise `re` finds the matches, and may take
    time exponential in the text. A deadline stops `re`: in the main thread by a signal, and in other threads by ending a
    process of its own.

    Args:
        pattern: The pattern.
        text: The text.
        seconds: The deadline, seconds.

    Returns:
        (start, end) of each match, in characters.

    Raises:
        BadValue: The deadline has passed.
    """
    if _steady(pattern):
        return _find_matches(pattern, text)
    compiled = _compiled(pattern)
    try:
        if compiled is not None and not has_surrogates(text):
            return _in_time(compiled, text, seconds)
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
            with _deadline(seconds):
                return _find_matches(pattern, text)
        spans = matches_in_process(pattern, text, seconds)
        if spans is None:
            raise _Late
        return spans
    except _Late:
        shown = repr(pattern.pattern) if len(pattern.pattern) <= 60 else f"{pattern.pattern[:60]!r}…"
        raise BadValue(
            f"expected a pattern whose matches in {count_noun(len(text), 'character')} are found within "
            f"{seconds:g} s, got {shown}",
            [
                "write the pattern without repeats within repeats",
                Advice("allow more time", "pattern_seconds=…", "--pattern-seconds"),
            ],
            argument="pattern",
        ) from None


def _find_matches(pattern: re.Pattern[str], text: str) -> list[Span]:
    return [m.span() for m in pattern.finditer(text) if m.end() > m.start()]


_steady = lru_cache(maxsize=16)(is_steady)


@lru_cache(maxsize=16)
def _compiled(pattern: re.Pattern[str]) -> Any:
    """Return the pattern compiled for RE2; None where RE2 is not installed or cannot match the pattern."""
    if importlib.util.find_spec("re2") is None:
        return None
    translated = for_re2(pattern)
    if translated is None:
        return None
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(translated, options)
    except re2.error:  # too large for RE2
        return None


def _in_time(compiled: Any, text: str, seconds: float) -> list[Span]:
    """Return the matches of RE2, which may read the whole text for each match, so a deadline is needed."""
    stop = time.monotonic() + seconds
    out: list[Span] = []
    for match in compiled.finditer(text.encode()):  # in a str RE2 would count characters again for each match
        out.append(match.span())
        if time.monotonic() > stop:
            raise _Late
    if text.isascii() or not out:
        return out
    spans = np.searchsorted(byte_offsets(text), np.array(out))
    return [(lo, hi) for lo, hi in spans.tolist()]


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Raise `_Late` after `seconds`; a timer of the caller continues afterwards."""

    def late(*_: object) -> None:
        raise _Late

    started = time.monotonic()
    handler = signal.signal(signal.SIGALRM, late)
    left, again = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - started), 1e-3), again)


def matches_in_process(pattern: re.Pattern[str], text: str, seconds: float) -> list[tuple[int, int]] | None:
    """Find the matches of `re` in a process of its own, which any thread can stop.

    Args:
        pattern: The pattern.
        text: The text.
        seconds: The deadline, seconds; starting the process takes some 30 ms more.

    Returns:
        (start, end) of each match that is not empty, in characters; None where the deadline has passed.

    Right: in a thread that is not the main thread. Wrong: in the main thread, where a signal is cheaper.
    """
    import subprocess  # few patterns need a process of their own

    request = {"pattern": pattern.pattern, "flags": int(pattern.flags), "seconds": seconds}
    message = json.dumps(request).encode("ascii") + b"\n" + text.encode("utf-8", "surrogatepass")
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(CHILD)],
            input=message,
            capture_output=True,
            timeout=seconds + GRACE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        return None
    spans = np.frombuffer(done.stdout, dtype=np.int64).reshape(-1, 2)
    return [(lo, hi) for lo, hi in spans.tolist()]
