"""The limits of requests: /openapi.json states all of them, and the server refuses whatever is beyond."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from native_requests import description

from pofx.server.description.endpoints import ENDPOINTS
from pofx.server.settings import Settings
from served import Server

# Requests that lack one field only: each endpoint's own example, and one for those without.
EXAMPLES: dict[str, dict[str, Any]] = {
    "/v1/classify": {"texts": ["cat"]},
    "/v1/posterior": {"texts": ["cat"], "models": ["own", "own"]},
    "/detokenize": {"tokens": [1]},
}
# Fields without a bound of their own: names, of which the server has few, and a name that nobody reads.
NAMES = {"model", "models", "classifier", "user"}
BOUNDS = {
    "string": {"maxLength"},
    "array": {"maxItems"},
    "integer": {"minimum", "maximum"},
    "number": {"minimum", "maximum"},
}
OPEN = {"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"}
# What the server says of a value beyond a limit, and never of a value within.
BEYOND = {
    "invalid_value",
    "too_large",
    "too_many_prompts",
    "too_many_tokens",
    "context_length_exceeded",
    "invalid_token",
}


@dataclass(frozen=True)
class Stated:
    """A part of a field with a type and its limits."""

    path: str
    field: str
    schema: dict[str, Any]
    nested: tuple[str, ...]  # "list" or "object" for each level of the field around the part

    def value(self, inner: Any) -> Any:
        for level in reversed(self.nested):
            inner = (
                [inner, *([1.0] if self.field == "weights" else [])]
                if level == "list"
                else {"en": inner, "fr": 1.0}
            )
        return inner


def parts(
    schema: dict[str, Any], nested: tuple[str, ...] = ()
) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    for branch in schema.get("anyOf", [schema]):
        yield branch, nested
        if branch.get("type") == "array":
            yield from parts(branch["items"], (*nested, "list"))
        if branch.get("type") == "object" and isinstance(branch.get("additionalProperties"), dict):
            yield from parts(branch["additionalProperties"], (*nested, "object"))


def stated(server: Server) -> list[Stated]:
    schemas = description(server.url)["components"]["schemas"]
    out = []
    for endpoint in ENDPOINTS:
        if endpoint.request is None or isinstance(endpoint.request, str):
            continue
        for field, whole in schemas[endpoint.request.__name__]["properties"].items():
            out += [Stated(endpoint.path, field, schema, nested) for schema, nested in parts(whole)]
    return out


def test_each_field_states_its_limits(server: Server) -> None:
    for s in stated(server):
        if s.field in NAMES or "enum" in s.schema or "const" in s.schema:
            continue
        needed = BOUNDS.get(s.schema.get("type", ""), set())
        if (
            s.schema.get("type") == "integer"
            and s.nested
            and s.field in ("prompt", "tokens", "prefixes", "after")
        ):
            needed = {"minimum"}  # the vocabulary of a model has the largest id
        lacks = [n for n in needed if n not in s.schema and OPEN.get(n) not in s.schema]
        assert not lacks, (s.path, s.field, s.schema, lacks)


def beyond(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Values of the type, each one step beyond one limit."""
    item: Any = 0
    if schema.get("type") == "array":
        inner = schema["items"]
        item = [] if inner.get("type") == "array" else "a" if inner.get("type") == "string" else 0
    for name, limit in schema.items():
        if name == "maxItems":
            yield name, [item] * (limit + 1)
        elif name == "minItems":
            yield name, [item] * (limit - 1)
        elif name == "maxLength":
            yield name, "a" * (limit + 1)
        elif name == "minLength":
            yield name, "a" * (limit - 1)
        elif name == "maxProperties":
            yield name, {str(k): 1 for k in range(limit + 1)}
        elif name == "minProperties":
            yield name, {}
        elif name == "maximum":
            yield name, limit + 1
        elif name == "minimum":
            yield name, limit - 1
        elif name in ("exclusiveMinimum", "exclusiveMaximum"):
            yield name, limit


def within(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Values of the type, each at one limit. Texts, ids and outcomes beyond the size of a request are left out."""
    for name, limit in schema.items():
        if name == "minimum" or (name == "maximum" and limit <= 65_535):
            yield name, limit
        elif name == "exclusiveMaximum":
            yield name, limit - 1 if schema["type"] == "integer" else limit * 0.999
        elif name == "exclusiveMinimum":
            yield name, limit + 1e-3
        elif name == "maxItems" and limit <= 256 and schema["items"].get("type") in ("string", "number"):
            yield name, ["a" if schema["items"]["type"] == "string" else 1] * limit
        elif name == "maxLength" and limit <= 4096:
            yield name, "a" * limit


def asked(server: Server, s: Stated, value: Any) -> Any:
    endpoint = next(e for e in ENDPOINTS if e.path == s.path)
    body = {**(endpoint.example or EXAMPLES[s.path]), s.field: s.value(value)}
    return server.post(
        s.path, {**body, **({} if s.path in ("/v1/posterior", "/v1/classify") else {"model": "own"})}
    )


def test_a_value_beyond_a_stated_limit_is_refused(server: Server) -> None:
    tried = 0
    for s in stated(server):
        for name, value in beyond(s.schema):
            got = asked(server, s, value)
            assert got.status_code in (400, 413), (s.path, s.field, name, got.text[:200])
            error = got.json()["error"]
            assert error["code"] in BEYOND, (s.path, s.field, name, error)
            # Tokens of prompts and draws add up, as the bytes of texts and their prefixes.
            about = {s.field, {"max_tokens": "prompt", "given": "texts"}.get(s.field, s.field)}
            assert error["param"].split(".")[0] in about, (s.path, s.field, name, error)
            tried += 1
    assert tried > 60


def test_a_value_at_a_stated_limit_is_not_refused_for_it(server: Server) -> None:
    tried = 0
    for s in stated(server):
        if s.field in NAMES:
            continue
        for name, value in within(s.schema):
            got = asked(server, s, value)
            if got.status_code != 200:
                error = got.json()["error"]
                # Of several fields: a product is too large, or two lists differ in length.
                assert got.status_code in (413, 422) or error["message"].startswith(("weights: expected a weight", "given: ex")), (
                    s.path, s.field, name, error,
                )  # fmt: skip
            tried += 1
    assert tried > 50


def test_the_limits_of_several_fields_together_are_stated(server: Server) -> None:
    said = description(server.url)["paths"]["/v1/completions"]["post"]["responses"]["413"]["description"]
    limits = Settings()
    for number in (limits.body, limits.text, limits.tokens, 500_000):
        assert f"{number:,}" in said


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/score"])
def test_the_number_of_prompts_is_stated(server: Server, path: str) -> None:
    schemas = description(server.url)["components"]["schemas"]
    field = (
        schemas["CompletionRequest"]["properties"]["prompt"]["anyOf"][1]
        if path == "/v1/completions"
        else schemas["ScoreRequest"]["properties"]["texts"]
    )
    assert field["maxItems"] == Settings().prompts == 256
