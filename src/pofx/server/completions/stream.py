"""The events of a streamed completion, which has each part of a choice as soon as the part is settled."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from starlette.requests import Request

from pofx.server.completions import records
from pofx.server.completions.answering import Task, answer
from pofx.server.completions.choice import Part
from pofx.server.event_stream import Emit, EventStream


def completion_stream(
    request: Request, task: Task, headers: dict[str, str], seat: AbstractContextManager[object]
) -> EventStream:
    """Return the streamed answer to a request.

    Args:
        request: The request.
        task: The task of the request.
        headers: Further headers.
        seat: The admission of the request, which ends with the work.
    """
    events = _Events(task)

    def work(emit: Emit) -> None:
        answer(task, lambda index, part: emit(events.chunk(index, part)))

    return EventStream(request, seat, work, events.last, headers)


class _Events:
    """The data of the events of one request, with counts that change with each event."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._head = records.head(task.served)
        # How many tokens of its prompt each choice still has to send; a choice without an entry has sent nothing.
        self._echo: dict[int, int] = {}
        self._drawn = 0

    def last(self) -> dict[str, Any] | None:
        """Return the usage of the whole answer, if the request asks for the usage."""
        options = self._task.asked.stream_options
        if options is None or not options.include_usage:
            return None
        return {**self._head, "choices": [], "usage": records.usage(self._task.prompts, self._drawn)}

    def chunk(self, index: int, part: Part) -> dict[str, Any]:
        """Return a part of a choice."""
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
