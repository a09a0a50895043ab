"""`/health` and `/ready`: whether the process answers, and whether its models still give the numbers of the start."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from pofx.server.incoming.errors import RequestError
from pofx.server.incoming.wire import json_response
from pofx.server.running.golden import CLOSE


async def health(request: Request) -> Response:
    """Answer that the process lives; `/ready` says whether its models give the right numbers."""
    return json_response({"status": "ok"})


async def ready(request: Request) -> Response:
    """Let each model read its golden path again; 503 where a number has changed, or the server shuts down."""
    app = request.app.state
    found = {}
    for served in app.table:
        golden = app.golden[served.name]
        with app.desk.admitted(len(golden.path)):
            found[served.name] = await app.desk.run(
                request, lambda served=served, golden=golden: golden.distance(served.lm)
            )
    wrong = [f"{name}, by {by:.3g}" for name, by in found.items() if not by <= CLOSE]
    if wrong:
        raise RequestError(
            503,
            "not_ready",
            f"expected the log-probabilities of the start within {CLOSE} nats, got others ({'; '.join(wrong)})",
            advice=("restart the server",),
        )
    return json_response({"status": "ready", "models": found})
