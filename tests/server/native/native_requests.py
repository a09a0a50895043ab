"""Requests whose answers are held against the description of the server."""

from __future__ import annotations

from functools import cache
from typing import Any

import httpx2 as httpx
import jsonschema_rs

from served import Server


@cache
def description(url: str) -> dict[str, Any]:
    out: dict[str, Any] = httpx.get(f"{url}/openapi.json", timeout=60, trust_env=False).json()
    return out


@cache
def validator(url: str, path: str, status: int) -> Any:
    """The schema of an answer, as the description has it."""
    whole = description(url)
    (operation,) = whole["paths"][path].values()
    schema = operation["responses"][str(status)]["content"]["application/json"]["schema"]
    return jsonschema_rs.Draft202012Validator({**schema, "components": whole["components"]})


def as_described(server: Server, path: str, got: httpx.Response) -> dict[str, Any]:
    out: dict[str, Any] = got.json()
    validator(server.url, path, got.status_code).validate(out)
    return out


def answered(server: Server, path: str, **fields: Any) -> dict[str, Any]:
    got = server.post(path, fields)
    assert got.status_code == 200, got.text
    return as_described(server, path, got)


def refused(server: Server, path: str, status: int, **fields: Any) -> dict[str, Any]:
    got = server.post(path, fields)
    assert got.status_code == status, got.text
    out: dict[str, Any] = as_described(server, path, got)["error"]
    return out
