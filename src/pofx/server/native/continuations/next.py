"""`POST /v1/next`: the likeliest next units, as `pofx next --json` gives them."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pofx.queries.next_unit.next import next_token
from pofx.report.json_records import next_record
from pofx.server.incoming.json_body import read_body
from pofx.server.native.answering import answer, count_tokens
from pofx.server.native.continuations.warped import warped
from pofx.server.native.requests import NextRequest


async def next_endpoint(request: Request) -> Response:
    """Answer one request."""
    app = request.app.state
    asked = await read_body(request, NextRequest, app.settings)
    served = app.table.model(asked.model)
    search = asked.calls if asked.unit in ("word", "character") else 0

    def work() -> dict[str, Any]:
        lm = warped(served.lm, asked)
        following = next_token(lm, asked.given, asked.k, asked.unit, asked.calls)
        warping = lm.warping()
        warp = {} if warping is None else {"warp": warping.text}
        return {**next_record(following), **warp, "model": served.name}

    return await answer(
        request, [asked.given], lambda: count_tokens(served.lm, [asked.given]) + search, work, "given"
    )
