"""`POST /v1/completions`."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pofx.server.completions import records
from pofx.server.completions.answering import Task, answer
from pofx.server.completions.choice import Part, joined
from pofx.server.completions.prompt import check_room, prompts_of
from pofx.server.completions.reading import Reading
from pofx.server.completions.request import MAX_TOKENS, CompletionRequest
from pofx.server.completions.stream import CompletionStream
from pofx.server.errors import RequestError
from pofx.server.json_body import read_body
from pofx.server.settings import Settings
from pofx.server.wire import json_response


async def completions(request: Request) -> Response:
    """Answer one request."""
    app = request.app.state
    asked = await read_body(request, CompletionRequest, app.settings)
    _check_limits(asked, app.settings)
    served = app.table.model(asked.model)
    prompts = await app.desk.run(request, lambda: prompts_of(served, asked))
    task = Task(served, asked, tuple(prompts), check_room(served, prompts, asked.max_tokens, MAX_TOKENS))
    if task.cost > app.settings.tokens:
        raise RequestError(
            400,
            "too_many_tokens",
            f"expected at most {app.settings.tokens} tokens of prompts and continuations, got {task.cost}",
            advice=("send fewer prompts at once", "ask for fewer tokens (max_tokens)"),
        )
    headers = _warning(asked.ignored)
    if asked.stream:
        return CompletionStream(request, task, headers)
    parts: dict[int, list[Part]] = {k: [] for k in range(len(prompts) * asked.copies)}
    with app.desk.admitted(task.cost):
        readings = await app.desk.run(request, lambda: answer(task, lambda k, part: parts[k].append(part)))
    return json_response(_record(task, parts, readings), headers=headers)


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


def _check_limits(asked: CompletionRequest, settings: Settings) -> None:
    prompts = (
        1
        if isinstance(asked.prompt, str) or not asked.prompt or isinstance(asked.prompt[0], int)
        else len(asked.prompt)
    )
    if prompts > settings.prompts:
        raise RequestError(
            400,
            "too_many_prompts",
            f"prompt: expected at most {settings.prompts} prompts, got {prompts}",
            "prompt",
        )
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
    """A header that names the fields that were not read."""
    if not ignored:
        return {}
    names = ", ".join(ascii(name[:40]) for name in ignored[:10]).replace('"', "'").replace("\\", "/")
    return {"Warning": f'299 pofx "these fields are not known and were ignored: {names}"'}
