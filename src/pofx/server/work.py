"""Work for a model: admitted by its tokens, done in a thread, and dropped when its client goes away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import anyio
from anyio import CapacityLimiter, to_thread
from starlette.requests import Request

from pofx.server.batching.cancellation import Cancellation, Cancelled, cancelled_by
from pofx.server.errors import RequestError

R = TypeVar("R")


class Desk:
    """Where requests are admitted: it knows how many tokens wait, and refuses more than the queue holds.

    Args:
        queue: The most tokens of all admitted requests.
        workers: How many requests are worked on side by side.
    """

    def __init__(self, queue: int, workers: int) -> None:
        self._queue, self._lock = queue, threading.Lock()
        self._limiter = CapacityLimiter(workers)
        self.waiting = 0  # tokens
        self.preparing = 0  # requests between admission and their first pass
        self.closing = False

    @contextmanager
    def admitted(self, tokens: int) -> Iterator[None]:
        """Admit a request of so many tokens, or refuse it."""
        if self.closing:
            raise RequestError(
                503, "shutting_down", "the server is shutting down", headers={"Retry-After": "5"}
            )
        if self.waiting and self.waiting + tokens > self._queue:
            raise RequestError(
                429,
                "queue_full",
                f"expected room for {tokens} tokens in the queue, got {self.waiting} waiting; ask again later",
                headers={"Retry-After": "1"},
            )
        self.waiting += tokens
        try:
            yield
        finally:
            self.waiting -= tokens

    async def run(self, request: Request, work: Callable[[], R]) -> R:
        """Do work in a thread; when the client goes away, the work stops at the next pass."""
        cancellation = Cancellation()

        def cancellable() -> R:
            with cancelled_by(cancellation):
                return work()

        async def watch() -> None:
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    cancellation.cancel()
                    return

        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            answer, error = await to_thread.run_sync(_caught, cancellable, limiter=self._limiter)
            group.cancel_scope.cancel()
        if isinstance(error, Cancelled):
            raise RequestError(499, "client_closed", "the client went away")
        if error is not None:
            raise error
        return answer  # type: ignore[return-value]


def _caught(work: Callable[[], R]) -> tuple[R | None, Exception | None]:
    """The result of work or its exception, as a value: a task group would wrap what is raised inside it."""
    try:
        return work(), None
    except Exception as e:
        return None, e
