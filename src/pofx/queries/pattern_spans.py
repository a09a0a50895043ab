"""The matches of a user's pattern, found in linear time where that can be, and within a deadline."""

from __future__ import annotations

import importlib.util
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from pofx.algorithms.linear import for_re2
from pofx.errors import BadValue

Span = tuple[int, int]


class _Late(Exception):
    """The deadline has passed."""


def pattern_spans(pattern: re.Pattern[str], text: str, seconds: float) -> list[Span]:
    """(start, end) of each match of `re.finditer` that is not empty.

    RE2 finds them where it is installed and the pattern means the same to it. Else `re` does, which may take time
    exponential in the text: it is stopped after so many seconds, if this is the main thread, which signals reach.

    Raises:
        BadValue: Time is up.
    """
    compiled = _compiled(pattern)
    try:
        if compiled is not None and not any("\ud800" <= c <= "\udfff" for c in text):
            return _in_time(compiled, text, seconds)
        with _deadline(seconds):
            return [m.span() for m in pattern.finditer(text) if m.end() > m.start()]
    except _Late:
        shown = repr(pattern.pattern) if len(pattern.pattern) <= 60 else f"{pattern.pattern[:60]!r}…"
        raise BadValue(
            f"pattern: expected one whose matches in {len(text):,} characters are found within {seconds:g} s, "
            f"found {shown}; write it without repeats within repeats, or allow more: pattern_seconds=… (--pattern-seconds)"
        ) from None


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
    for found in compiled.finditer(text):
        out.append(found.span())
        if time.monotonic() > stop:
            raise _Late
    return out


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """`_Late` where it takes longer: `re` looks for signals while it matches. A timer that runs goes on afterwards."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

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
