"""Whether the client of a piece of work still waits for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Cancelled(Exception):
    """The client has gone; raised within its work, at the next pass."""


class Cancellation:
    """A flag that the connection of a client sets when the client goes away."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Say that nobody waits any more."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits any more."""
        return self._event.is_set()


_current: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)


@contextmanager
def cancelled_by(cancellation: Cancellation) -> Iterator[None]:
    """Let `cancellation` stop what is computed inside this context."""
    before = _current.set(cancellation)
    try:
        yield
    finally:
        _current.reset(before)


def current_cancellation() -> Cancellation:
    """The flag of the work that runs now; outside `cancelled_by`, a flag that nobody sets."""
    return _current.get() or Cancellation()
