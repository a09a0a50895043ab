"""Errors as answers: OpenAI's shape, with the code and the advice of pofx."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from pofx.errors import PofxError, one_line
from pofx.server.incoming.wire import json_response

# HTTP status by the code of the error. A client can mend all of these but one, which ends when others free memory.
_STATUS = {
    "out-of-memory": 503,
    "no-bos": 422,
    "no-eos": 422,
    "impossible": 422,
    "unreached": 422,
    "no-law": 422,
    "missing-extra": 422,
}
# The type of an error in OpenAI's words, by its status; all others are faults of the request.
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "server_error",
    503: "service_unavailable_error",
}
# Advice for a client, in place of that of `load`, which may name a file of the server and arguments of Python.
_ADVICE = {"no-bos": ("condition on a text that you name", "start the server with an x0 (--begin TOKEN)")}


class RequestError(Exception):
    """A request that is refused before any model is asked.

    Attributes:
        status: The HTTP status.
        code: A stable name of the refusal for programs.
        param: The field that the message is about; None for a message about no field.
        message: The expected value, and the value that came.
        advice: Ways out.
        headers: Further headers of the answer.
        offset: The byte of the body at which the fault begins; None for a fault of no byte.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        param: str | None = None,
        advice: tuple[str, ...] = (),
        headers: dict[str, str] | None = None,
        offset: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param, self.message = status, code, param, message
        self.advice, self.headers, self.offset = advice, headers or {}, offset


def refusal(error: RequestError) -> Response:
    """Return the answer to a request that is refused."""
    record = _record(error.status, error.code, error.message, error.param, error.advice)
    if error.offset is not None:
        record["offset"] = error.offset
    return json_response({"error": record}, error.status, error.headers)


def failure(error: PofxError) -> Response:
    """Return the answer to a request that a model or a query refused."""
    return json_response({"error": failure_record(error)}, _STATUS.get(error.code, 400))


def failure_record(error: PofxError) -> dict[str, Any]:
    """Return an error of a model or a query as the object `error` of an answer."""
    status = _STATUS.get(error.code, 400)
    param = None if error.argument is None else error.argument.python
    code = "context_length_exceeded" if error.code == "too-long" else error.code
    advice = _ADVICE.get(error.code, tuple(map(str, error.advice)))
    return _record(status, code, error.subject, param, advice)


def _record(
    status: int, code: str, message: str, param: str | None, advice: tuple[str, ...]
) -> dict[str, Any]:
    return {
        "message": one_line(message, advice),
        "type": _TYPES.get(status, "invalid_request_error"),
        "param": param,
        "code": code,
        "advice": list(advice),
    }
