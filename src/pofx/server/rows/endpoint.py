"""`POST /v1/rows`: the columns of a file of Parquet, for a page that shows them; nothing is stored."""

from __future__ import annotations

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from pofx.server.incoming.json_body import receive_body
from pofx.server.incoming.wire import json_bytes
from pofx.server.rows.parquet import read_parquet

# A page of another site cannot send this type without asking first.
BYTES = "application/octet-stream"


async def rows_endpoint(request: Request) -> Response:
    """Answer one request."""
    app = request.app.state
    async with receive_body(request, BYTES, app.settings) as data:
        body = await to_thread.run_sync(lambda: json_bytes(read_parquet(data)), limiter=app.readers)
    return Response(body, media_type="application/json")
