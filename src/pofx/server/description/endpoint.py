"""`GET /openapi.json`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from pofx.server.description.document import document
from pofx.server.incoming.wire import json_response
from pofx.server.native.posterior import is_complete


async def openapi_endpoint(request: Request) -> Response:
    """Answer one request."""
    models = list(request.app.state.table)
    complete = [m.name for m in models if is_complete(m)]
    return json_response(document([m.name for m in models], complete))
