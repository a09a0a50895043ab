"""The endpoint `POST /v1/completions`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pofx.server.completions import records
from pofx.server.completions.answering import Task, answer
from pofx.server.completions.choice import Part, joined
from pofx.server.completions.prompt import check_room, prompts_of
from pofx.server.completions.reading import Reading
from pofx.server.completions.request import MAX_TOKENS, CompletionRequest
from pofx.server.completions.stream import completion_stream
from pofx.server.incoming.errors import RequestError
from pofx.server.incoming.json_body import read_body
from pofx.server.incoming.limits import check_count, check_listed, check_texts, check_tokens
from pofx.server.incoming.wire import json_bytes
from pofx.server.settings import Settings
from pofx.server.table import ServedModel


async def completions(request: Request, begin: bool = False) -> Response:
    """Answer one request; with `begin` x0 stands before ids that do not begin with it."""
    app = request.app.state
    asked = await read_body(request, CompletionRequest, app.settings)
    _check_together(asked, app.settings)
    served = app.table.asked_for(request, asked.model)
    headers = _warning(asked.ignored)
    with ExitStack() as held:
        bound = _bound(asked, app.settings)
        seat = held.enter_context(app.desk.admitted(bound))
        task = await app.desk.tokenise(request, lambda: _task(served, asked, begin, app.settings), bound)
        seat.resize(task.cost)
        if asked.stream:
            # The stream keeps the seat of its request, since a second admission could refuse an accepted request.
            return completion_stream(request, task, headers, held.pop_all())
        # The record is written in the thread, too, since 10 MB of JSON would hold up every other client for a second.
        body = await app.desk.run(request, lambda: json_bytes(_whole(task)))
    return Response(body, headers=headers, media_type="application/json")


def _bound(asked: CompletionRequest, settings: Settings) -> int:
    """Return an upper bound of the tokens that are read, before any text is tokenised."""
    if isinstance(asked.prompt, str):
        return check_texts("prompt", [asked.prompt], settings)
    texts = [p for p in asked.prompt if isinstance(p, str)]
    if texts:
        return check_texts("prompt", texts, settings)
    rows = [p for p in asked.prompt if isinstance(p, list)]
    check_count("prompt", max(1, len(rows)), settings)
    return min(1 + sum(map(len, rows)) + len(asked.prompt), settings.tokens)


def _task(served: ServedModel, asked: CompletionRequest, begin: bool, settings: Settings) -> Task:
    prompts = prompts_of(served, asked, begin)
    max_tokens = check_room(served, prompts, asked.max_tokens, MAX_TOKENS)
    task = Task(served, asked, tuple(prompts), max_tokens)
    check_tokens("prompt", task.cost, settings, ("ask for fewer tokens (max_tokens, n)",))
    for name, top, positions in task.lists:
        check_listed(name, top, positions)
    return task


def _whole(task: Task) -> dict[str, Any]:
    """Return the whole answer to a request."""
    parts: dict[int, list[Part]] = {k: [] for k in range(len(task.prompts) * task.asked.copies)}
    readings = answer(task, lambda k, part: parts[k].append(part))
    return _record(task, parts, readings)


def _record(task: Task, parts: dict[int, list[Part]], readings: list[Reading]) -> dict[str, Any]:
    asked, strings, drawn = task.asked, task.strings, 0
    choices = []
    for index, grown in parts.items():
        prompt, whole = task.prompts[index // asked.copies], joined(grown)
        choice = records.choice_record(index, whole, strings, asked.logprobs)
        ids = [t.id for t, _ in whole.tokens][records.echoed(prompt, asked.echo) :]
        drawn += len(ids)
        if asked.prompt_logprobs is not None:
            tokens = readings[index // asked.copies].tokens
            choice["prompt_logprobs"] = records.prompt_logprobs(tokens, asked.prompt_logprobs, strings)
        if asked.return_token_ids:
            choice["token_ids"], choice["prompt_token_ids"] = ids, list(prompt.ids)
        choices.append(choice)
    return {**records.head(task.served), "choices": choices, "usage": records.usage(task.prompts, drawn)}


def _check_together(asked: CompletionRequest, settings: Settings) -> None:
    """Refuse fields whose values exclude each other, which the shape of a request cannot express."""
    if asked.copies > settings.n:
        raise RequestError(400, "invalid_value", f"n: expected at most {settings.n}, got {asked.copies}", "n")
    if asked.stream and asked.prompt_logprobs is not None:
        raise RequestError(
            400,
            "invalid_value",
            "prompt_logprobs: expected none in a stream, got a number",
            "prompt_logprobs",
            ("leave out stream", "take echo and logprobs"),
        )


def _warning(ignored: list[str]) -> dict[str, str]:
    """Return a header that names the fields that were not read."""
    if not ignored:
        return {}
    names = ", ".join(ascii(name[:40]) for name in ignored[:10]).replace('"', "'").replace("\\", "/")
    return {"Warning": f'299 pofx "these fields are not known and were ignored: {names}"'}
