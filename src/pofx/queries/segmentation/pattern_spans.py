"""The matches of a user's pattern, found in linear time where that can be, and within a deadline."""

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
GRACE = 20.0  # seconds to start Python on a busy machine


class _Late(Exception):
    """The deadline has passed."""


def pattern_spans(pattern: re.Pattern[str], text: str, seconds: float) -> list[Span]:
    """(start, end) of each match of `re.finditer` that is not empty.

    `re` finds them where the pattern keeps it from going back far (`is_steady`). Else RE2 does, where it is installed and
    the pattern means the same to it. Else `re` does, which may take time exponential in the text: it is stopped after so
    many seconds, by a signal in the main thread, and in others by ending a process of its own.

    Raises:
        BadValue: Time is up.
    """
    if _steady(pattern):
        return _found(pattern, text)
    compiled = _compiled(pattern)
    try:
        if compiled is not None and not has_surrogates(text):
            return _in_time(compiled, text, seconds)
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
            with _deadline(seconds):
                return _found(pattern, text)
        found = matches_in_process(pattern, text, seconds)
        if found is None:
            raise _Late
        return found
    except _Late:
        shown = repr(pattern.pattern) if len(pattern.pattern) <= 60 else f"{pattern.pattern[:60]!r}…"
        raise BadValue(
            f"pattern: expected one whose matches in {count_noun(len(text), 'character')} are found within {seconds:g} s, "
            f"found {shown}",
            [
                "write it without repeats within repeats",
                Advice("allow more", "pattern_seconds=…", "--pattern-seconds"),
            ],
        ) from None


def _found(pattern: re.Pattern[str], text: str) -> list[Span]:
    return [m.span() for m in pattern.finditer(text) if m.end() > m.start()]


_steady = lru_cache(maxsize=16)(is_steady)


@lru_cache(maxsize=16)
def _compiled(pattern: re.Pattern[str]) -> Any:
    """The pattern for RE2, or None."""
    if importlib.util.find_spec("re2") is None:
        return None
    same = for_re2(pattern)
    if same is None:
        return None
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(same, options)
    except re2.error:  # too large for it
        return None


def _in_time(compiled: Any, text: str, seconds: float) -> list[Span]:
    """RE2 needs no longer than the text for one match, but may read all of it for each."""
    stop = time.monotonic() + seconds
    out: list[Span] = []
    for found in compiled.finditer(text.encode()):  # given str, it counts characters again for each match
        out.append(found.span())
        if time.monotonic() > stop:
            raise _Late
    if text.isascii() or not out:
        return out
    spans = np.searchsorted(byte_offsets(text), np.array(out))
    return [(lo, hi) for lo, hi in spans.tolist()]


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """`_Late` where it takes longer: `re` looks for signals while it matches. A timer that runs goes on afterwards."""

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
    """(start, end) of each match that is not empty; None where they are not found within so many seconds.

    Starting the process takes some 30 ms. Right: in a thread that is not the main one. Wrong: where signals come.
    """
    import subprocess  # hardly a pattern needs a process of its own

    asked = {"pattern": pattern.pattern, "flags": int(pattern.flags), "seconds": seconds}
    given = json.dumps(asked).encode("ascii") + b"\n" + text.encode("utf-8", "surrogatepass")
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(CHILD)],
            input=given,
            capture_output=True,
            timeout=seconds + GRACE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        return None
    found = np.frombuffer(done.stdout, dtype=np.int64).reshape(-1, 2)
    return [(lo, hi) for lo, hi in found.tolist()]
