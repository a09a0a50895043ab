"""The address of a server, which is checked and brought to one form."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from pofx.errors import Argument, BadValue

_ENDINGS = ("/v1/completions", "/v1/models", "/v1")
URL = Argument("url", "URL")


def server_address(url: str) -> str:
    """Return the address of a server without its last `/v1` and without a slash at the end.

    Args:
        url: The address, with or without `/v1` or `/v1/completions` at its end.

    Returns:
        The address to which paths such as `/v1/completions` and `/tokenize` are appended.

    Raises:
        BadValue: The address has another scheme than http and https, no host, a bad port, a name and password, a query or a
            fragment.

    Right: `server_address("http://127.0.0.1:8000/v1")` is "http://127.0.0.1:8000".
    Wrong: `server_address("127.0.0.1:8000")`, which has no scheme.
    """
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url:
        raise _bad(url)
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        raise _bad(url) from None
    if parts.username is not None or parts.password is not None:
        raise BadValue(
            "expected an address without a name and a password, got an address with both",
            "pass the key of the server as api_key",
            argument=URL,
        )
    if parts.scheme not in ("http", "https") or not whole or parts.query or parts.fragment:
        raise _bad(url)
    path = parts.path.rstrip("/")
    for ending in _ENDINGS:
        if path.endswith(ending):
            path = path.removesuffix(ending)
            break
    return f"{parts.scheme}://{parts.netloc}{path}"


def is_loopback(address: str) -> bool:
    """Return whether an address names this machine, so that no proxy can stand between."""
    host = urlsplit(address).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bad(url: object) -> BadValue:
    return BadValue(
        f"expected the address of a server, got {url!r:.120}",
        "write an address such as http://127.0.0.1:8000",
        argument=URL,
    )
