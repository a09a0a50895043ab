"""A check for schemathesis: a request of the described shape is refused for a reason that no schema can hold, or not at all."""

from __future__ import annotations

import re
from typing import Any

import schemathesis

# The code of each such refusal, and the fields that it may be about. Each depends on the model that is asked, on its
# vocabulary, or on another field; JSON Schema describes a field alone.
BY_MODEL = {
    "invalid_token": {"prompt", "prefixes", "tokens"},  # the ids of a vocabulary
    "context_length_exceeded": {
        "prompt",
        "texts",
        "given",
        "text",
        "prefixes",
        None,
    },  # the context of a model
    "not-text": {"prompt", "texts", "text", "given", None},  # a text that the vocabulary cannot spell
    "model_not_found": {"model"},  # the address is that of another model
    "invalid_value": {
        "given",  # as many prefixes as texts
        "weights",  # as many weights as models
        "prompt_logprobs",  # not in a stream
        "prompt",  # 1.0 is an integer of JSON Schema, and no id
    },
    "bad-source": {None},  # a body of bytes that is no file of Parquet
}
# 1.0 is an integer of JSON Schema, and a float to every parser of numbers.
WHOLE = re.compile(r"expected a whole number, got -?[\d.]+(e[+-]?\d+)? at byte")
# 413: a product of several fields is too large. 422: the model has no such number, such as p(x1) without x0.
OF_MANY_FIELDS = {401, 413, 422, 429, 503}


@schemathesis.check
def a_described_request_is_answered(context: Any, response: Any, case: Any) -> None:
    """Fail where a request that the description allows is refused for a fault of one field."""
    if response.status_code < 400 or response.status_code in OF_MANY_FIELDS:
        return
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    error = response.json()["error"]
    field = error["param"] and error["param"].partition(".")[0]
    if error["code"] == "invalid_value" and WHOLE.search(error["message"]):
        return
    if field not in BY_MODEL.get(error["code"], ()):
        raise AssertionError(f"a described request is refused: {error['code']}, {field}: {error['message']}")
