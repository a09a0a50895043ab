"""The end of work whose client has gone, or which takes too long."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic


class Cancelled(Exception):
    """The client has gone, or the work has taken too long; the work raises this exception at its next pass."""


class Cancellation:
    """A flag that the connection of a client sets when the client goes away, and a deadline.

    Args:
        seconds: How long the work may take from its `begin`; infinite by default.
    """

    def __init__(self, seconds: float = math.inf) -> None:
        self._event, self._seconds, self._deadline = threading.Event(), seconds, math.inf

    def begin(self) -> None:
        """Start the clock, in the thread of the work, so that the wait for a thread does not count."""
        self._deadline = monotonic() + self._seconds

    def cancel(self) -> None:
        """Set the flag, since the client has gone."""
        self._event.set()

    @property
    def expired(self) -> bool:
        """Whether the work has taken too long."""
        return monotonic() >= self._deadline

    @property
    def cancelled(self) -> bool:
        """Whether the work must stop."""
        return self._event.is_set() or self.expired


_current: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)


@contextmanager
def cancelled_by(cancellation: Cancellation) -> Iterator[None]:
    """Let `cancellation` stop the work inside this context."""
    before = _current.set(cancellation)
    try:
        yield
    finally:
        _current.reset(before)


def current_cancellation() -> Cancellation:
    """Return the cancellation of the work that runs now; outside `cancelled_by`, a new one that no client sets."""
    return _current.get() or Cancellation()
