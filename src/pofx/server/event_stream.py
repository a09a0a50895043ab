"""An answer as server-sent events: each as soon as the work emits it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import anyio
from anyio import from_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pofx.errors import PofxError
from pofx.server.incoming.errors import RequestError, failure, refusal
from pofx.server.incoming.wire import json_bytes

Emit = Callable[[dict[str, Any]], None]


class EventStream(Response):
    """The events of a request; the last one is [DONE].

    An error before the first event is answered with its status. A later error is an event, since the status has
    been sent. When the client goes away, the work stops at its next pass.

    Args:
        request: The request.
        seat: The context of the request's admission, which is left at the end of the work.
        work: A function that emits the data of each event; a thread calls the function.
        last: A function that returns the data of a last event before [DONE], or None for no such event.
        headers: Further headers.

    Right: `EventStream(request, held.pop_all(), send_rows)`. Wrong: an async `work`, which no thread runs.
    """

    def __init__(
        self,
        request: Request,
        seat: AbstractContextManager[object],
        work: Callable[[Emit], object],
        last: Callable[[], dict[str, Any] | None] = lambda: None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(None, 200, {**(headers or {}), "Cache-Control": "no-store"}, "text/event-stream")
        del self.headers["content-length"]
        self._request, self._seat, self._work, self._last = request, seat, work, last

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do the work, and send its events."""
        desk, failed = self._request.app.state.desk, None
        sender, receiver = anyio.create_memory_object_stream[bytes](math.inf)
        started = False

        def emit(data: dict[str, Any]) -> None:
            # Written in the thread of the work: an echo of 10 MB would hold up every other client for a second.
            from_thread.run_sync(sender.send_nowait, json_bytes(data))

        async def work() -> None:
            nonlocal failed
            try:
                await desk.run(self._request, lambda: self._work(emit))
            except (RequestError, PofxError) as e:
                failed = e
            finally:
                sender.close()

        with self._seat, sender, receiver:
            async with anyio.create_task_group() as group:
                group.start_soon(work)
                async for data in receiver:
                    if not started:
                        started = True
                        await self._start(send)
                    await self._send(send, data)
        if failed is not None and not started:
            raise failed
        if not started:
            await self._start(send)
        if failed is not None:
            answered = refusal(failed) if isinstance(failed, RequestError) else failure(failed)
            await self._send(send, bytes(answered.body))
        elif (last := self._last()) is not None:
            await self._send(send, json_bytes(last))
        await self._send(send, b"[DONE]")
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _start(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

    async def _send(self, send: Send, data: bytes) -> None:
        await send({"type": "http.response.body", "body": b"data: " + data + b"\n\n", "more_body": True})
