"""`POST /v1/completions`."""

from __future__ import annotations

import time
import uuid
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from pofx.lm.trace import Trace, Want
from pofx.server.completions.prompt import Prompt, prompts_of
from pofx.server.completions.request import CompletionRequest
from pofx.server.json_body import read_body
from pofx.server.table import ServedModel
from pofx.server.wire import json_response

# JSON has no −∞; clients of OpenAI's shape know this number for it.
NEVER = -9999.0


async def completions(request: Request) -> Response:
    """Answer one request."""
    app = request.app.state
    asked = await read_body(request, CompletionRequest, app.settings)
    served = app.table.model(asked.model)
    prompts = prompts_of(served, asked.prompt, asked.add_special_tokens)
    with app.desk.admitted(sum(len(p.path) + 1 for p in prompts)):
        choices = await app.desk.run(request, lambda: echo_choices(served, asked, prompts))
    n = sum(len(p.shown) for p in prompts)
    new = sum(c["logprobs"] is not None for c in choices)
    return json_response(
        {
            "id": f"cmpl-{uuid.uuid4().hex}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": served.name,
            "choices": choices,
            "usage": {"prompt_tokens": n, "completion_tokens": new, "total_tokens": n + new},
        }
    )


def echo_choices(
    served: ServedModel, asked: CompletionRequest, prompts: list[Prompt]
) -> list[dict[str, Any]]:
    """The log-probabilities of each prompt and of the likeliest token after it."""
    want = Want(top=max(1, asked.logprobs or 0))
    out = []
    for index, p in enumerate(prompts):
        trace = p.lm.forward([[*p.path, 0]], want, [p.skip if p.path else 0])
        out.append(_choice(served, index, p, trace, asked))
    return out


def _choice(
    served: ServedModel, index: int, p: Prompt, trace: Trace, asked: CompletionRequest
) -> dict[str, Any]:
    if trace.top_ids is None or trace.top_logp is None:
        raise AssertionError("ours: `Want` asked for the likeliest tokens")
    greedy = int(trace.top_ids[0][-1, 0])
    unknown = len(p.shown) - (len(trace.logp[0]) - 1)
    logp = [*trace.logp[0][:-1], trace.top_logp[0][-1, 0]]
    ids = [*p.shown, greedy]
    pieces = served.lm.vocab.pieces([i for i in ids if i < served.lm.vocab.size])
    text = b"".join(pieces).decode("utf-8", "replace")
    numbers = [None] * unknown + [float(v) if np.isfinite(v) else NEVER for v in logp]
    tops = [None] * unknown + [
        {served.lm.vocab.show(int(i)): float(v) if np.isfinite(v) else NEVER for i, v in zip(row, values)}
        for row, values in zip(trace.top_ids[0], trace.top_logp[0])
    ]
    return {
        "index": index,
        "text": text,
        "finish_reason": "length",
        "logprobs": {
            "tokens": [served.lm.vocab.show(i) if i < served.lm.vocab.size else "<s>" for i in ids],
            "text_offset": [0] * len(ids),
            "token_logprobs": numbers,
            "top_logprobs": tops,
        },
    }
