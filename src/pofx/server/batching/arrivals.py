"""The number of requests on their way to a model, so that the first request can wait for the others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Arrivals:
    """A count of the requests that are admitted and have not called a model yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._expected = 0

    @property
    def expected(self) -> int:
        """The number of requests on their way."""
        return self._expected

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count one request from here to its first call of a model, or to the end of this context."""
        arrival = _Arrival(self)
        self.add(1)
        # The threads of the request copy its context, and with the context the arrival. Each request is a task of its own,
        # whose context ends with the task, so no value must be reset.
        _current.set(arrival)
        try:
            yield
        finally:
            arrival.happened()

    def add(self, change: int) -> None:
        """Change the count."""
        with self._lock:
            self._expected += change


class _Arrival:
    """The arrival of one request, which leaves the count once."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals, self._lock, self._waited_for = arrivals, threading.Lock(), True

    def happened(self) -> None:
        with self._lock:
            waited_for, self._waited_for = self._waited_for, False
        if waited_for:
            self._arrivals.add(-1)


_current: ContextVar[_Arrival | None] = ContextVar("arrival", default=None)


def arrived() -> None:
    """Note that the request of this thread calls a model; later calls of the same request change no count."""
    arrival = _current.get()
    if arrival is not None:
        arrival.happened()
