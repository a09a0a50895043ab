"""The OpenAPI document of a server."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from pofx.server.description.answer import MaybeImpossible, Refusal
from pofx.server.description.endpoints import ENDPOINTS, Endpoint
from pofx.server.incoming.limits import LISTED
from pofx.server.native.requests import NativeRequest
from pofx.server.settings import BODY, TEXT, TOKENS
from pofx.version import __version__

# What stands before the path of an endpoint for clients, and what it changes.
_BEFORE = {
    "": "",
    "/begin": "As without /begin, but x0 stands before prompts of ids that do not begin with it.",
    "/models/{served}": "For clients that name no model: the model of the address answers.",
    "/models/{served}/begin": "For clients that name no model and send ids without x0: the model of the address answers, "
    "and x0 stands before prompts of ids that do not begin with it.",
}
_REF = "#/components/schemas/{model}"
_STATUSES = {
    400: "The request has another shape, or asks for what the model cannot do.",
    401: "The key of the server is missing or wrong.",
    403: "The request names another host or comes from another origin.",
    404: "No model has this name.",
    408: "The request was not complete in time.",
    413: f"The request is too large: split it. It has at most {BODY:,} bytes, {TEXT:,} bytes of texts together, {TOKENS:,} "
    f"tokens to read and to generate, and asks for at most {LISTED:,} likeliest tokens of all positions together.",
    415: "The body is of another type than the path expects.",
    422: "The model has no answer, such as p(x1) of a model without x0; the advice names a way out.",
    429: "The queue is full: ask again after as many seconds as `Retry-After` says.",
    503: "The server shuts down or is not ready, or the work took longer than the server allows.",
}


def document(names: Sequence[str], complete: Sequence[str]) -> dict[str, Any]:
    """Return the OpenAPI document of a server.

    Args:
        names: The names of its models.
        complete: The names of its models with x0 and EOS, which can be compared.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "pofx serve",
            "version": __version__,
            "description": "Language models as distributions over strings. All log-probabilities are in nats.",
        },
        "security": [{}, {"key": []}],
        "paths": {
            before + e.path: _path(e, names, before)
            for e in ENDPOINTS
            for before in (_BEFORE if e.of_clients else ("",))
        },
        "components": {
            "schemas": _schemas(names, complete),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _path(endpoint: Endpoint, names: Sequence[str], before: str) -> dict[str, Any]:
    return {"post" if endpoint.request else "get": _operation(endpoint, names, before)}


def _operation(endpoint: Endpoint, names: Sequence[str], before: str) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": endpoint.summary, "content": _content(endpoint)}}
    if endpoint.links:
        responses["200"]["links"] = {name: _link(link, before) for name, link in endpoint.links.items()}
    # An address may name a model that the server does not have.
    for status in sorted({*endpoint.refusals, *([404] if "{served}" in before else [])}):
        responses[str(status)] = {
            "description": _STATUSES[status],
            "content": {"application/json": {"schema": _ref(Refusal)}},
        }
    out: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": _operation_id(before + endpoint.path),
        "responses": responses,
    }
    if before:
        out["description"] = _BEFORE[before]
    if endpoint.path == "/health":
        out["security"] = []
    if endpoint.request is not None:
        kind, body = "application/json", dict[str, Any]()
        if isinstance(endpoint.request, str):
            kind, body["schema"] = endpoint.request, {"type": "string", "format": "binary", "maxLength": BODY}
        else:
            body["schema"] = _ref(endpoint.request)
        if endpoint.example is not None:
            body["example"] = endpoint.example
        out["requestBody"] = {"required": True, "content": {kind: body}}
    named = {"type": "string", "enum": list(names)}
    parameters = []
    if "{served}" in before:
        about = "The name of the model that answers; a request may name no other."
        served = {"name": "served", "in": "path", "required": True, "description": about, "schema": named}
        parameters.append(served)
    if endpoint.names_model:
        about = "The name of a model; the first one by default."
        about = about if endpoint.names_model == "model" else "The name of a model."
        place = {"in": "query"} if endpoint.names_model == "model" else {"in": "path", "required": True}
        parameters.append({"name": endpoint.names_model, **place, "description": about, "schema": named})
    if parameters:
        out["parameters"] = parameters
    return out


def _operation_id(path: str) -> str:
    return re.sub(r"\W+", "_", path).strip("_")


def _link(link: dict[str, Any], before: str) -> dict[str, Any]:
    """Return a link from an answer to an operation at the same address."""
    out = {**link, "operationId": _operation_id(f"{before}/{link['operationId']}")}
    if "{served}" in before:
        out["parameters"] = {**link.get("parameters", {}), "served": "$request.path.served"}
    return out


def _content(endpoint: Endpoint) -> dict[str, Any]:
    if isinstance(endpoint.answer, str):
        kind = "object" if endpoint.answer == "application/json" else "string"
        return {endpoint.answer: {"schema": {"type": kind}}}
    out: dict[str, Any] = {"application/json": {"schema": _ref(endpoint.answer)}}
    if endpoint.chunk is not None:
        data = {
            "type": "string",
            "description": f"JSON of a {endpoint.chunk.__name__} or, after a failure, of a Refusal; in the end [DONE].",
        }
        event = {"type": "object", "properties": {"data": data}, "required": ["data"]}
        out["text/event-stream"] = {"schema": event}
    return out


def _ref(shape: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=shape.__name__)}


def _schemas(names: Sequence[str], complete: Sequence[str]) -> dict[str, Any]:
    requests = [e.request for e in ENDPOINTS if e.request and not isinstance(e.request, str)]
    shapes: list[type[BaseModel]] = [Refusal, *requests]
    shapes += [e.answer for e in ENDPOINTS if not isinstance(e.answer, str)]
    shapes += [e.chunk for e in ENDPOINTS if e.chunk]
    _, found = models_json_schema([(s, "validation") for s in shapes], ref_template=_REF)
    schemas: dict[str, Any] = found["$defs"]
    asked = {shape.__name__ for shape in requests}
    for name, schema in schemas.items():
        _describe(schema)
        fields = schema.get("properties", {})
        if name in asked:
            _name_models(fields.get("model", {}), names)
            _name_models(fields.get("models", {}), complete)
        else:
            for field in fields.values():
                field.pop("default", None)  # a field that may be absent holds no null
    return schemas


def _describe(schema: dict[str, Any]) -> None:
    """Give each field its line of the docstring."""
    schema.pop("title", None)
    about, _, lines = schema.get("description", "").partition("\n\nAttributes:\n")
    if about:
        schema["description"] = about
    found = _INHERITED | _fields(lines)
    for name, field in schema.get("properties", {}).items():
        field.pop("title", None)
        if name in found:
            field["description"] = " ".join(found[name].split())


def _fields(lines: str) -> dict[str, str]:
    return dict(re.findall(r"^ {4}(\w+): ((?:.|\n {8})*)", lines, re.MULTILINE))


def _docs(shape: type[BaseModel]) -> dict[str, str]:
    return _fields(inspect.cleandoc(shape.__doc__ or "").partition("\n\nAttributes:\n")[2])


# What the docstring of a shape does not repeat of that of its base.
_INHERITED = _docs(NativeRequest) | _docs(MaybeImpossible)


def _name_models(field: dict[str, Any], names: Sequence[str]) -> None:
    """Say which names of models a field may have."""
    for kind in field.get("anyOf", []):
        named = kind["items"] if kind.get("type") == "array" else kind
        if named.get("type") == "string" and names:
            named["enum"] = list(names)
