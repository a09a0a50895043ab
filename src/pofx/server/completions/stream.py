"""An answer as server-sent events: each part of a choice as soon as it is settled."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from typing import Any

import anyio
from anyio import from_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pofx.errors import PofxError
from pofx.server.completions import records
from pofx.server.completions.answering import Task, answer
from pofx.server.completions.choice import Part
from pofx.server.incoming.errors import RequestError, failure, refusal
from pofx.server.incoming.wire import json_bytes


class CompletionStream(Response):
    """The events of a request.

    An error before the first event is answered with its status. A later error is an event, since the status has
    been sent.

    Args:
        request: The request.
        task: The task of the request.
        headers: Further headers.
        seat: The admission of the request, which ends with the work.
    """

    def __init__(
        self,
        request: Request,
        task: Task,
        headers: dict[str, str],
        seat: AbstractContextManager[object],
    ) -> None:
        super().__init__(None, 200, {**headers, "Cache-Control": "no-store"}, "text/event-stream")
        del self.headers["content-length"]
        self._request, self._task, self._seat = request, task, seat
        self._head = records.head(task.served)
        # How many tokens of its prompt each choice still has to send; a choice that is not there has sent nothing.
        self._echo: dict[int, int] = {}
        self._drawn = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do the work, and send its parts."""
        desk, failed = self._request.app.state.desk, None
        sender, receiver = anyio.create_memory_object_stream[bytes](math.inf)
        started = False

        def emit(index: int, part: Part) -> None:
            # Written in the thread of the work: an echo of 10 MB would hold up every other client for a second.
            from_thread.run_sync(sender.send_nowait, json_bytes(self._chunk(index, part)))

        async def work() -> None:
            nonlocal failed
            try:
                await desk.run(self._request, lambda: answer(self._task, emit))
            except (RequestError, PofxError) as e:
                failed = e
            finally:
                sender.close()

        with self._seat, sender, receiver:
            async with anyio.create_task_group() as group:
                group.start_soon(work)
                async for chunk in receiver:
                    if not started:
                        started = True
                        await self._start(send)
                    await self._send_bytes(send, chunk)
        if failed is not None and not started:
            raise failed
        if failed is not None:
            answered = refusal(failed) if isinstance(failed, RequestError) else failure(failed)
            await self._send_bytes(send, bytes(answered.body))
        elif self._includes_usage:
            used = records.usage(self._task.prompts, self._drawn)
            await self._send(send, {**self._head, "choices": [], "usage": used})
        await self._send_bytes(send, b"[DONE]")
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    @property
    def _includes_usage(self) -> bool:
        options = self._task.asked.stream_options
        return options is not None and bool(options.include_usage)

    def _chunk(self, index: int, part: Part) -> dict[str, Any]:
        asked = self._task.asked
        prompt = self._task.prompts[index // asked.copies]
        new = index not in self._echo
        echo = self._echo.get(index, records.echoed(prompt, asked.echo))
        self._echo[index] = max(0, echo - len(part.tokens))
        choice = records.choice_record(index, part, self._task.strings, asked.logprobs)
        drawn = [t.id for t, _ in part.tokens[echo:]]
        self._drawn += len(drawn)
        if asked.return_token_ids:
            choice["token_ids"] = drawn
            choice["prompt_token_ids"] = list(prompt.ids) if new else None
        return {**self._head, "choices": [choice]}

    async def _start(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

    async def _send(self, send: Send, record: dict[str, Any]) -> None:
        await self._send_bytes(send, json_bytes(record))

    async def _send_bytes(self, send: Send, data: bytes) -> None:
        await send({"type": "http.response.body", "body": b"data: " + data + b"\n\n", "more_body": True})
