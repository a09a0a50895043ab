"""The body of a request: bounded, strict JSON of one object, checked field by field."""

from __future__ import annotations

import re
from typing import TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from pofx.server.errors import RequestError
from pofx.server.settings import Settings

M = TypeVar("M", bound=BaseModel)


async def read_body(request: Request, shape: type[M], settings: Settings) -> M:
    """Read the JSON object of a request into its shape.

    Raises:
        RequestError: 413 for too large a body, 400 for a body that is no JSON object of this shape.
    """
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > settings.body:
            raise RequestError(413, "too_large", f"expected a body of at most {settings.body} bytes")
    try:
        record = orjson.loads(data)
    except orjson.JSONDecodeError as e:
        at = re.search(r"column (\d+)", str(e))
        where = f" at byte {e.pos}" if at else ""
        raise RequestError(
            400, "invalid_json", f"expected JSON, got bytes that are none{where}: {e.msg}"
        ) from None
    if not isinstance(record, dict):
        raise RequestError(400, "invalid_json", f"expected a JSON object, got {type(record).__name__}")
    try:
        return shape.model_validate(record)
    except ValidationError as e:
        first = e.errors(include_url=False, include_input=False)[0]
        param = ".".join(map(str, first["loc"]))
        raise RequestError(400, "invalid_value", f"{param}: {first['msg']}", param or None) from None
