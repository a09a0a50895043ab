"""`POST /v1/sample`: draws from p, as `pofx sample --json` gives them."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pofx.lm.model import LM
from pofx.queries.sample import sample
from pofx.report.json_records import draw_record
from pofx.server.incoming.json_body import read_body
from pofx.server.native.answering import answer, count_tokens
from pofx.server.native.requests import SampleRequest
from pofx.transforms.warp import warp


async def sample_endpoint(request: Request) -> Response:
    """Answer one request."""
    app = request.app.state
    asked = await read_body(request, SampleRequest, app.settings)
    served = app.table.model(asked.model)

    def work() -> dict[str, Any]:
        lm = _warped(served.lm, asked)
        draws = sample(lm, asked.n, asked.given, asked.max_tokens, asked.seed, asked.boundary)
        return {"model": served.name, "draws": [draw_record(d) for d in draws]}

    return await answer(
        request,
        [asked.given],
        lambda: count_tokens(served.lm, [asked.given]) + asked.n * asked.max_tokens,
        work,
        "max_tokens",
    )


def _warped(lm: LM, asked: SampleRequest) -> LM:
    if asked.temperature is None and asked.top_k is None and asked.top_p is None:
        return lm
    return warp(lm, 1.0 if asked.temperature is None else asked.temperature, asked.top_k, asked.top_p)
