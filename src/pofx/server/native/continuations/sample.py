"""`POST /v1/sample`: draws from p, as `pofx sample --json` gives them, together or each as soon as it has ended."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pofx.queries.sample import each_draw, sample, with_own
from pofx.report.json_records import draw_record
from pofx.server.event_stream import Emit, EventStream
from pofx.server.incoming.json_body import read_body
from pofx.server.incoming.limits import check_bytes, check_tokens
from pofx.server.native.answering import answer, count_tokens
from pofx.server.native.continuations.warped import warped
from pofx.server.native.requests import SampleRequest
from pofx.server.native.wire_record import wire_record
from pofx.server.table import ServedModel


async def sample_endpoint(request: Request) -> Response:
    """Answer one request."""
    app = request.app.state
    asked = await read_body(request, SampleRequest, app.settings)
    served = app.table.model(asked.model)

    def count() -> int:
        return count_tokens(served.lm, [asked.given]) + asked.n * asked.max_tokens

    if asked.stream:
        with ExitStack() as held:
            bound = check_bytes("given", [asked.given], app.settings)
            seat = held.enter_context(app.desk.admitted(bound))
            tokens = await app.desk.tokenise(request, count, bound)
            check_tokens("max_tokens", tokens, app.settings)
            seat.resize(tokens)
            return EventStream(request, held.pop_all(), lambda emit: _stream(served, asked, emit))

    def work() -> dict[str, Any]:
        lm = warped(served.lm, asked)
        draws = sample(lm, asked.n, asked.given, asked.max_tokens, asked.seed, asked.boundary)
        return {"model": served.name, "draws": [draw_record(d) for d in draws]}

    return await answer(request, [asked.given], count, work, "max_tokens", "given")


def _stream(served: ServedModel, asked: SampleRequest, emit: Emit) -> None:
    lm = warped(served.lm, asked)
    for k, draw in each_draw(lm, asked.n, asked.given, asked.max_tokens, asked.seed, asked.boundary):
        (whole,) = with_own(lm, asked.given, [draw])
        emit(wire_record({"model": served.name, "index": k, "draw": draw_record(whole)}))
