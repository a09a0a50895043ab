"""`GET /v1/models`: the models of a server, as OpenAI lists them."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pofx.server.incoming.wire import json_response
from pofx.server.table import ServedModel


async def list_models(request: Request) -> Response:
    """Answer with all models; at the address of one model, with that model alone, since no other model answers there."""
    table, at = request.app.state.table, request.path_params.get("served")
    data = [_record(m) for m in (table if at is None else [table.model(at)])]
    return json_response({"object": "list", "data": data})


async def find_model(request: Request) -> Response:
    """Answer with the model of a name; `RequestError` 404 for an unknown name."""
    return json_response(_record(request.app.state.table.asked_for(request, request.path_params["name"])))


def _record(served: ServedModel) -> dict[str, Any]:
    return {
        "id": served.name,
        "object": "model",
        "created": served.created,
        "owned_by": "pofx",
        "max_model_len": served.lm.context,
    }
