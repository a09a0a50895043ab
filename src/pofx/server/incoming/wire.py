"""JSON on the wire: strict, with every double in its shortest form that reads back as the same double."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response


def json_bytes(record: Any) -> bytes:
    """Write strict JSON in UTF-8. Callers replace NaN and infinities before, since here they would become null."""
    return orjson.dumps(record, option=orjson.OPT_SERIALIZE_NUMPY)


def json_response(record: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer of one JSON value."""
    return Response(json_bytes(record), status, headers, media_type="application/json")
