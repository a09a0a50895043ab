"""Work for a model: admitted by its tokens, done in a thread, and dropped when its client goes away."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import anyio
from anyio import CapacityLimiter, to_thread
from starlette.requests import Request

from pofx.server.batching.arrivals import Arrivals
from pofx.server.batching.cancellation import Cancellation, Cancelled, cancelled_by
from pofx.server.incoming.errors import RequestError

R = TypeVar("R")

# How many texts are tokenised side by side. Tokenising is short and computes on one core, so it has threads of its own:
# in those of the models it would wait for passes.
TOKENISERS = 4
# Work on at most so many tokens is done at once, without a thread: it takes less than a thread's start. Twenty tokens were
# cut in 0.04 ms, and their thread took 0.6 ms of the event loop.
AT_ONCE = 256


class Seat:
    """The place of an admitted request in the queue."""

    def __init__(self, desk: Desk, tokens: int) -> None:
        self._desk, self.tokens = desk, tokens

    def resize(self, tokens: int) -> None:
        """Set the tokens of the request in the queue, once they are counted."""
        self._desk.reseat(self, tokens)


class Desk:
    """The desk that admits requests: it counts the tokens that wait, and refuses more than the queue holds.

    Args:
        queue: The most tokens of all admitted requests.
        workers: How many requests are computed side by side.
        bodies: The most bytes of all bodies that are being received or parsed.
        timeout: The seconds that the work of one request may take in its thread.

    Right: `with desk.admitted(bound) as seat:`, then `desk.tokenise(…)`, `seat.resize(tokens)` and `desk.run(…)`.
    Wrong: tokenising on the event loop, where one long text delays every client.
    """

    def __init__(self, queue: int, workers: int, bodies: int = 1 << 26, timeout: float = math.inf) -> None:
        self._queue, self._bodies, self._timeout, self._lock = queue, bodies, timeout, threading.Lock()
        self._limiter, self._tokenisers = CapacityLimiter(workers), CapacityLimiter(TOKENISERS)
        self._arrivals = Arrivals()
        self._running: set[Cancellation] = set()
        self.waiting = 0  # tokens
        self.received = 0  # bytes
        self.closing = self._stopped = False

    @property
    def preparing(self) -> int:
        """How many requests are on their way to a model: admitted, with a thread, before their first call."""
        return max(0, self._arrivals.expected - self._limiter.statistics().tasks_waiting)

    @property
    def running(self) -> int:
        """How many pieces of work have not ended."""
        return len(self._running)

    @contextmanager
    def admitted(self, tokens: int) -> Iterator[Seat]:
        """Admit a request of so many tokens, or refuse it.

        Raises:
            RequestError: 503 where the server shuts down, 429 where the queue is full.
        """
        if self.closing:
            raise shutting_down()
        seat = Seat(self, 0)
        self.reseat(seat, tokens)
        try:
            with self._arrivals.one():
                yield seat
        finally:
            self.reseat(seat, 0)

    def reseat(self, seat: Seat, tokens: int) -> None:
        """Change the number of tokens that a request takes in the queue; a request alone in the queue always fits."""
        with self._lock:
            others = self.waiting - seat.tokens
            if tokens > seat.tokens and others and others + tokens > self._queue:
                raise RequestError(
                    429,
                    "queue_full",
                    f"expected room for {tokens} tokens in the queue, got {others} tokens waiting, of at most "
                    f"{self._queue}",
                    advice=("ask again later",),
                    headers={"Retry-After": "1"},
                )
            self.waiting += tokens - seat.tokens
            seat.tokens = tokens

    @contextmanager
    def receiving(self) -> Iterator[Callable[[int], None]]:
        """Count the bytes of a body from here to the end of this context; call the function with the length of each part.

        Raises:
            RequestError: 429 where the bodies of all clients together have too many bytes.
        """
        held = 0

        def add(more: int) -> None:
            nonlocal held
            if self.received > held and self.received + more > self._bodies:
                raise RequestError(
                    429,
                    "too_many_bodies",
                    f"expected bodies of at most {self._bodies} bytes from all clients together, got more",
                    advice=("ask again later",),
                    headers={"Retry-After": "1"},
                )
            held += more
            self.received += more

        try:
            yield add
        finally:
            self.received -= held

    async def tokenise(self, request: Request, work: Callable[[], R], tokens: float = math.inf) -> R:
        """Tokenise texts of at most so many tokens, before a model is called: in a thread, or at once where they are few."""
        if tokens <= AT_ONCE:
            if self._stopped:
                raise shutting_down()
            return work()
        return await self._in_thread(request, work, self._tokenisers)

    async def run(self, request: Request, work: Callable[[], R]) -> R:
        """Let a model compute in a thread; it stops at the next pass when the client is gone or the time over."""
        return await self._in_thread(request, work, self._limiter)

    def close(self) -> None:
        """Admit no further request."""
        self.closing = True

    def stop(self) -> None:
        """Stop all work at its next pass; the clients get the refusal of a server that shuts down."""
        self.closing = self._stopped = True
        for cancellation in list(self._running):
            cancellation.cancel()

    async def _in_thread(self, request: Request, work: Callable[[], R], limiter: CapacityLimiter) -> R:
        if self._stopped:
            raise shutting_down()  # between two pieces of its work
        cancellation = Cancellation(self._timeout)
        self._running.add(cancellation)
        gone = begun = False
        answer: R | None = None
        error: Exception | None = Cancelled()  # stays where the client went away before a thread was free

        def cancellable() -> R:
            nonlocal begun
            begun = True
            cancellation.begin()
            try:
                if cancellation.cancelled:
                    raise Cancelled
                with cancelled_by(cancellation):
                    return work()
            finally:
                self._running.discard(cancellation)

        async def watch() -> None:
            nonlocal gone
            while (await request.receive())["type"] != "http.disconnect":
                pass
            gone = True
            cancellation.cancel()
            group.cancel_scope.cancel()  # ends the wait for a thread; a thread that runs is waited for

        try:
            async with anyio.create_task_group() as group:
                group.start_soon(watch)
                answer, error = await to_thread.run_sync(_caught, cancellable, limiter=limiter)
                group.cancel_scope.cancel()
        finally:
            cancellation.cancel()  # where the task itself is cancelled, its thread stops, too
            if not begun:
                self._running.discard(cancellation)
        if gone:
            raise RequestError(499, "client_closed", "the client went away")
        if isinstance(error, Cancelled):
            late = cancellation.expired and not self._stopped
            raise too_late(self._timeout) if late else shutting_down()
        if error is not None:
            raise error
        return answer  # type: ignore[return-value]


def too_late(seconds: float) -> RequestError:
    """Return the refusal of work that has taken longer than `seconds`: status 503, code `timeout`."""
    return RequestError(
        503,
        "timeout",
        f"expected work of at most {seconds:g} s, got more",
        advice=(
            "split the request",
            "ask for fewer tokens (max_tokens, n)",
            "start the server with more time (--timeout SECONDS)",
        ),
    )


def shutting_down() -> RequestError:
    """Return the refusal of a server that shuts down: status 503, code `shutting_down`."""
    return RequestError(
        503,
        "shutting_down",
        "expected a running server, got one that shuts down",
        advice=("ask again later",),
        headers={"Retry-After": "5"},
    )


def _caught(work: Callable[[], R]) -> tuple[R | None, Exception | None]:
    """Return the result of work or its exception as a value, since a task group would wrap an exception."""
    try:
        return work(), None
    except Exception as e:
        return None, e
