"""`GET /openapi.json`."""

from __future__ import annotations

from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response

from pofx.server.description.document import document
from pofx.server.incoming.wire import json_bytes
from pofx.server.native.texts.posterior import is_complete


async def openapi_endpoint(request: Request) -> Response:
    """Answer one request."""
    app = request.app.state
    models = list(app.table)
    names, complete = tuple(m.name for m in models), tuple(m.name for m in models if is_complete(m))
    return Response(
        await app.desk.tokenise(request, lambda: _written(names, complete)), media_type="application/json"
    )


@lru_cache(maxsize=4)
def _written(names: tuple[str, ...], complete: tuple[str, ...]) -> bytes:
    """Write the description, which takes 0.1 s, and stays the same as long as the server runs."""
    return json_bytes(document(names, complete))
