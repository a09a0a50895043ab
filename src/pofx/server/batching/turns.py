"""Turns at a model: one computation at a time, where a long computation pauses for others between two passes."""

from __future__ import annotations

import threading
from collections import deque


class Ticket:
    """A place in the queue of a model.

    Either the caller that waits with a ticket gets the turn, or another caller does its work.
    """

    __slots__ = ("_called", "leads")

    def __init__(self) -> None:
        self._called = threading.Event()
        self.leads = False

    def call(self, leads: bool) -> None:
        """Wake the waiting caller, which has the turn, or whose work another caller has done."""
        self.leads = leads
        self._called.set()

    @property
    def ready(self) -> bool:
        """Whether the ticket is called already."""
        return self._called.is_set()

    def wait(self) -> bool:
        """Wait, and return whether the caller has the turn."""
        self._called.wait()
        return self.leads


class Turns:
    """A lock with two queues: new work, and work that paused between two passes.

    While both queues wait, their heads are called alternately. So a new question waits for one pass of a long
    computation, and a long computation for one batch of new questions.

    Right: `ticket = turns.enter()`, then `if ticket.wait(): …; turns.leave()`.
    Wrong: `turns.leave()` after `wait()` has returned False, since the caller never had the turn.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._new: deque[Ticket] = deque()
        self._paused: deque[Ticket] = deque()
        self._held = False
        self._last_was_new = False

    @property
    def waited_for(self) -> bool:
        """Whether a caller waits for the turn."""
        return bool(self._new or self._paused)

    def enter(self) -> Ticket:
        """Join the queue of new work; the ticket is called at once if the turn is free."""
        ticket = Ticket()
        with self._lock:
            if self._held:
                self._new.append(ticket)
            else:
                self._held, self._last_was_new = True, True
                ticket.call(True)
        return ticket

    def withdraw(self, ticket: Ticket) -> None:
        """Take a ticket out of the queue of new work, since another caller does its work and will call the ticket."""
        with self._lock:
            self._new.remove(ticket)

    def leave(self) -> None:
        """Give the turn to the next ticket."""
        with self._lock:
            self._call_next()

    def pause(self) -> None:
        """Let the waiting callers go first, and return with the turn."""
        ticket = Ticket()
        with self._lock:
            if not self.waited_for:
                return
            self._paused.append(ticket)
            self._last_was_new = False  # the slice that ends here belongs to long work
            self._call_next()
        ticket.wait()

    def _call_next(self) -> None:
        line = self._new if self._new and not (self._paused and self._last_was_new) else self._paused
        if not line:
            self._held = False
            return
        self._last_was_new = line is self._new
        line.popleft().call(True)
