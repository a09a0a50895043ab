"""`/health` and `/ready`: whether the process answers, and whether models and classifiers give the numbers of the start."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from pofx.server.incoming.errors import RequestError
from pofx.server.incoming.wire import json_response
from pofx.server.running.golden import CLOSE


async def health(request: Request) -> Response:
    """Answer that the process lives; `/ready` says whether its models give the right numbers."""
    return json_response({"status": "ok"})


async def ready(request: Request) -> Response:
    """Let each model and classifier read its golden path or text again.

    Raises:
        RequestError: 503 where a number has changed, or the server shuts down.
    """
    app = request.app.state
    models, classifiers = {}, {}
    for served in app.table:
        path = app.golden[served.name]
        with app.desk.admitted(len(path.path)):
            models[served.name] = await app.desk.run(request, partial(path.distance, served.lm))
    for served in app.classifiers:
        text = app.golden_texts[served.name]
        with app.desk.admitted(text.tokens * len(served.joint.classes)):
            classifiers[served.name] = await app.desk.run(request, partial(text.distance, served.joint))
    found = [*models.items(), *((f"classifier {name}", by) for name, by in classifiers.items())]
    wrong = [f"{name}, by {by:.3g}" for name, by in found if not by <= CLOSE]
    if wrong:
        raise RequestError(
            503,
            "not_ready",
            f"expected the log-probabilities of the start within {CLOSE} nats, got others ({'; '.join(wrong)})",
            advice=("restart the server",),
        )
    return json_response({"status": "ready", "models": models, "classifiers": classifiers})
