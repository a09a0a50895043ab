"""`/` and the files that the page at `/` loads."""

from __future__ import annotations

import mimetypes

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pofx.server.incoming.errors import RequestError
from pofx.web_pages import built, live_files

# No script, style or request of another origin. Svelte sets styles through the object model, which needs no 'unsafe-inline'.
POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
# The name of a built file carries a hash of its bytes, so a browser may keep it.
_KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}


async def page(request: Request) -> Response:
    """Answer with the page, which asks the native endpoints."""
    return Response(
        built("live/index.html"), media_type="text/html", headers={**_HEADERS, "Cache-Control": "no-cache"}
    )


async def asset(request: Request) -> Response:
    """Answer with a script or a style sheet of the page; `RequestError` 404 for another name."""
    name = request.path_params["name"]
    body = live_files().get(name)
    if body is None:
        raise RequestError(
            404, "unknown_url", f"expected a file of the page, got {name[:60]!a}", advice=("open /",)
        )
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(body, media_type=kind, headers={**_HEADERS, **_KEPT})


PAGE_ROUTES = (Route("/", page), Route("/assets/{name}", asset))
