"""The body of a request: bounded, strict JSON of one object, checked field by field."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

from anyio import to_thread
from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request

from pofx.server.incoming.errors import RequestError
from pofx.server.incoming.strict_json.messages import first_fault, shown
from pofx.server.incoming.strict_json.parse import parse
from pofx.server.incoming.strict_json.place import offset_of
from pofx.server.settings import Settings

M = TypeVar("M", bound=BaseModel)

# Bodies of more bytes are parsed in a thread, so that other clients do not wait for the parser.
SMALL = 1 << 15
JSON = "application/json"


async def read_body(request: Request, shape: type[M], settings: Settings) -> M:
    """Read the JSON object of a request into its shape.

    Args:
        request: The request.
        shape: The fields and their types.
        settings: The limits.

    Raises:
        RequestError: 415 for another kind of body. 413 for too large a body. 429 where other bodies have used up the room
            for bodies. 400 for a body that is no JSON object of this shape, with the offset of the fault in bytes.
    """
    async with receive_body(request, JSON, settings) as text:
        if len(text) > SMALL:
            return await to_thread.run_sync(_validated, text, shape, settings)
        return _validated(text, shape, settings)


@asynccontextmanager
async def receive_body(request: Request, media_type: str, settings: Settings) -> AsyncIterator[bytes]:
    """Receive a body of a type, which counts among the bodies of all clients to the end of this context.

    Raises:
        RequestError: As `read_body`, of the headers and the size.
    """
    _check_headers(request.headers, media_type, settings.body)
    with request.app.state.desk.receiving() as more:
        yield await _received(request, settings.body, more)


def _check_headers(headers: Headers, media_type: str, most: int) -> None:
    """Refuse other kinds of body, which a page in a browser can send without asking first."""
    kind, _, more = headers.get("content-type", "").partition(";")
    charset = re.search(r"charset\s*=\s*\"?([^\s\";]*)", more, re.IGNORECASE)
    utf8 = charset is None or charset[1].lower() in ("utf-8", "utf8")
    if kind.strip().lower() != media_type or not utf8:
        raise RequestError(
            415,
            "unsupported_media_type",
            f"Content-Type: expected {media_type}, got {shown_headers(headers.getlist('content-type'))}",
            advice=(
                f"send the header 'Content-Type: {media_type}'",
                *(["call curl with --json"] if media_type == JSON else []),
            ),
        )
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise RequestError(
            415,
            "unsupported_encoding",
            f"Content-Encoding: expected none, got {shown_headers(headers.getlist('content-encoding'))}",
            advice=("send the body as it is",),
        )
    length = headers.get("content-length", "0")
    if length.isdigit() and int(length[:20]) > most:
        raise too_large(most)


def shown_headers(values: Iterable[str]) -> str:
    """Return the values of a header for a message: shortened, without control characters; "none" for no value."""
    return ", ".join(ascii(v[:60]) for v in list(values)[:2]) or "none"


async def _received(request: Request, most: int, more: Callable[[int], None]) -> bytes:
    data = bytearray()
    try:
        async for chunk in request.stream():
            more(len(chunk))
            data += chunk
            if len(data) > most:
                raise too_large(most)
    except ClientDisconnect:
        raise RequestError(499, "client_closed", "the client went away") from None
    return bytes(data)


def too_large(most: int) -> RequestError:
    """Return the refusal of a body of more than `most` bytes: status 413."""
    return RequestError(
        413,
        "too_large",
        f"expected a body of at most {most} bytes, got more",
        advice=("split the request",),
    )


def _validated(text: bytes, shape: type[M], settings: Settings) -> M:
    record, fault = parse(text)
    if fault is not None:
        raise RequestError(
            400,
            "invalid_json",
            f"expected {fault.expected}, got {fault.got} at byte {fault.offset}",
            offset=fault.offset,
        )
    if not isinstance(record, dict):
        raise RequestError(400, "invalid_json", f"expected a JSON object, got {shown(record)}", offset=0)
    crowded = _crowded(record, (), 2 * settings.tokens)
    if crowded is not None:
        path, got = crowded
        raise _wrong(text, path, f"expected at most {2 * settings.tokens} items, got {got}")
    try:
        return shape.model_validate(record)
    except ValidationError as e:
        path, said = first_fault(e, record)
        misnamed = len(path) == 1 and (path[0] not in record or path[0] not in shape.model_fields)
        advice = f"choose among the fields {', '.join(shape.model_fields)}"
        raise _wrong(text, path, said, (advice,) if misnamed else ()) from None


def _wrong(text: bytes, path: tuple[int | str, ...], said: str, advice: tuple[str, ...] = ()) -> RequestError:
    at = offset_of(text, path)
    param = ".".join(map(str, path)) or None
    return RequestError(
        400, "invalid_value", f"{param or 'body'}: {said} at byte {at}", param, advice, offset=at
    )


def _crowded(
    value: object, path: tuple[int | str, ...], most: int
) -> tuple[tuple[int | str, ...], int] | None:
    """Return the path and the length of the first list of more than `most` items; None without such a list.

    A validator would note a fault for each of a million items.
    """
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        if len(value) > most:
            return path, len(value)
        inner = [(k, v) for k, v in enumerate(value) if isinstance(v, dict | list)]
    else:
        return None
    return next((found for k, v in inner if (found := _crowded(v, (*path, k), most)) is not None), None)
