"""Which requests reach an endpoint: keys, names of hosts, origins of browsers, and the kind of body."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pofx.errors import Advice, Argument, BadValue
from pofx.server.incoming.errors import RequestError, refusal
from pofx.server.incoming.json_body import shown_headers
from pofx.server.settings import Settings

# What answers without a key: whether the process lives, and the files of the page, which asks its reader for the key.
# None of them says anything of a model.
OPEN = ("/health", "/")
_OPEN_FOLDER = "/assets/"
_METHODS, _HEADERS = "GET, POST", "authorization, content-type"


def check_settings(settings: Settings) -> None:
    """Refuse settings that are not safe, before anything is loaded.

    Raises:
        BadValue: An address that other machines reach has no key, or a key or an origin is malformed.
    """
    key = settings.api_key
    if key is not None and not re.fullmatch(r"[!-~]+", key):
        raise BadValue(
            "expected a key of visible ASCII characters without spaces, got another",
            "choose another key",
            Argument("api_key", "--api-key"),
        )
    if key is None and not is_loopback(settings.host):
        raise BadValue(
            f"expected an address of this machine alone, or a key, got {settings.host!r:.60} without a key",
            [Advice("choose a key", "api_key=…", "--api-key, POFX_API_KEY"), "take 127.0.0.1"],
            Argument("host", "--host"),
        )
    for origin in settings.origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc.lower()}":
            raise BadValue(
                f"expected an origin, got {origin!r:.60}",
                "write it as a browser does, such as https://example.org, one for each site",
                Argument("origins", "--origin"),
            )


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class Protect:
    """Refuse requests that no client with good intentions sends, and those without the key.

    A page in a browser can make the browser send requests to this machine. Four rules keep such pages out. A request
    must name this machine in `Host`, since a page can let its own name point here (DNS rebinding). An `Origin` must be
    allowed. A body must have the type of JSON (`read_body`), which a browser only sends after asking first. No answer says
    that other origins may read it, unless the settings name the origin.

    Args:
        app: The application inside.
        settings: The key, the names of hosts, the origins and the limits.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._key = None if settings.api_key is None else _digest(settings.api_key)
        self._hosts = {*settings.allowed_hosts, _bracketed(settings.host)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        shared = origin in self._settings.origins
        try:
            self._check_host(headers)
            self._check_origin(headers)
            if shared and scope["method"] == "OPTIONS":
                await _preflight()(scope, receive, _opened(send, origin or ""))
                return
            if scope["path"] not in OPEN and not scope["path"].startswith(_OPEN_FOLDER):
                self._check_key(headers)
        except RequestError as e:
            await refusal(e)(scope, receive, _opened(send, origin or "") if shared else send)
            return
        await self._app(scope, receive, _opened(send, origin or "") if shared else send)

    def _check_host(self, headers: Headers) -> None:
        if self._key is not None:
            return  # a page does not know the key
        names = headers.getlist("host")
        if len(names) != 1 or _without_port(names[0]) not in self._hosts:
            raise RequestError(
                403,
                "host_not_allowed",
                f"Host: expected {' or '.join(sorted(self._hosts))}, got {shown_headers(names)}",
                advice=("call the server by one of these names", "start the server with a key"),
            )

    def _check_origin(self, headers: Headers) -> None:
        origins = headers.getlist("origin")
        own = {f"{scheme}://{headers.get('host', '')}" for scheme in ("http", "https")}
        if any(o not in self._settings.origins and o not in own for o in origins):
            raise RequestError(
                403,
                "origin_not_allowed",
                f"Origin: expected none, or one that the server was started for, got {shown_headers(origins)}",
                advice=("start the server with --origin",),
            )

    def _check_key(self, headers: Headers) -> None:
        if self._key is None:
            return
        given = headers.getlist("authorization")
        scheme, _, key = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        key = key.strip() if scheme.lower() == "bearer" else ""
        # Digests of equal length are compared, in constant time: the time tells neither the key nor its length.
        if not hmac.compare_digest(_digest(key), self._key):
            raise RequestError(
                401,
                "invalid_api_key",
                f"Authorization: expected 'Bearer ' and the key of the server, got {'another' if key else 'no'} key",
                advice=("send the key that the server was started with",),
                headers={"WWW-Authenticate": "Bearer"},
            )


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _without_port(host: str) -> str:
    return re.sub(r":[0-9]*$", "", host).lower().rstrip(".")


def _preflight() -> Response:
    """Return the answer to a browser that asks whether it may send JSON and a key."""
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _HEADERS,
            "Access-Control-Max-Age": "600",
        },
    )


def _opened(send: Send, origin: str) -> Send:
    """Let pages of an origin read the answer."""

    async def opened(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = "Retry-After, Warning"
            headers.add_vary_header("Origin")
        await send(message)

    return opened
