"""`GET /v1/models`: the models of a server, as OpenAI lists them."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pofx.server.incoming.wire import json_response
from pofx.server.table import ServedModel


async def list_models(request: Request) -> Response:
    """All models."""
    data = [_record(m) for m in request.app.state.table]
    return json_response({"object": "list", "data": data})


async def find_model(request: Request) -> Response:
    """The model of a name."""
    return json_response(_record(request.app.state.table.model(request.path_params["name"])))


def _record(served: ServedModel) -> dict[str, Any]:
    return {
        "id": served.name,
        "object": "model",
        "created": served.created,
        "owned_by": "pofx",
        "max_model_len": served.lm.context,
    }
