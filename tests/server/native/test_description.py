"""The OpenAPI description says what is really answered, and no request that it can think of makes the server fail."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from native_requests import answered, as_described, description

from pofx.server.app import make_app
from pofx.server.description.endpoints import ENDPOINTS
from pofx.server.page.routes import PAGE_ROUTES
from pofx.server.running.paths import templates
from served import Server
from small_models import BYTES

SAID = {e.path: e for e in ENDPOINTS}


def test_each_path_is_described_and_no_other(server: Server) -> None:
    app = make_app([("own", BYTES)])
    routes = {path.replace(":path", "") for path in templates(app.routes)}
    pages = {route.path for route in PAGE_ROUTES}
    said = description(server.url)["paths"]
    assert set(said) == routes - pages
    for path, methods in said.items():
        (method,) = methods
        url = path.format(served="own", name="own")
        other = server.get(url) if method == "post" else server.post(url, {})
        assert other.status_code == 405, path


def test_each_path_has_a_label_of_its_own(server: Server) -> None:
    def count(label: str, status: int) -> float:
        return server.metric(f'pofx_requests_total{{path="{label}",status="{status}"}}')

    for path in description(server.url)["paths"]:
        before = count(path, 405)
        url = path.format(served="anybody", name="own")
        for _ in range(2):
            assert server.request("PUT", url).status_code == 405
        assert count(path, 405) == before + 2
        assert url == path or url not in server.get("/metrics").text


def test_each_field_is_described(server: Server) -> None:
    for name, schema in description(server.url)["components"]["schemas"].items():
        silent = [f for f, s in schema.get("properties", {}).items() if not s.get("description")]
        assert not silent and schema["description"] and "Attributes" not in schema["description"], (
            name,
            silent,
        )


@pytest.mark.parametrize("name", ["own", "open", "mle", "words", "tiny", "plain", "gguf"])
def test_the_example_of_each_endpoint_is_answered_as_described(server: Server, name: str) -> None:
    for path, endpoint in SAID.items():
        if endpoint.example is not None:
            answered(server, path, **endpoint.example, model=name)
        elif endpoint.names_model:
            got = server.get(path.format(name=name), params={"model": name})
            assert got.status_code == 200
            as_described(server, path, got)


@pytest.mark.parametrize("path", ["/v1/models", "/v1/classifiers", "/health", "/ready"])
def test_what_a_server_says_of_itself(server: Server, path: str) -> None:
    got = server.get(path)
    assert got.status_code == 200
    as_described(server, path, got)


MORE: list[dict[str, Any]] = [
    {"prompt": ["the", "a cat"], "max_tokens": 2, "n": 2, "logprobs": 3, "seed": 1, "temperature": 0.5},
    {"prompt": [[1, 2], []], "max_tokens": 1, "echo": True, "logprobs": 1, "prompt_logprobs": 2},
    {"prompt": "the", "max_tokens": 0, "echo": True, "logprobs": 1, "return_token_ids": True},
]


@pytest.mark.parametrize("fields", MORE)
def test_completions_are_as_described(server: Server, fields: dict[str, Any]) -> None:
    for name in ("own", "tiny"):
        answered(server, "/v1/completions", model=name, **fields)


def test_refusals_are_as_described(server: Server) -> None:
    for path, endpoint in SAID.items():
        if isinstance(endpoint.request, str):
            assert server.post(path, {}).status_code == 415, path  # `test_rows` sends other bodies
        elif endpoint.request is not None:
            got = server.post(
                path, {"texts": 1, "prompt": 1, "given": 1, "tokens": 1, "prefixes": 1, "model": 1}
            )
            assert got.status_code == 400, path
            as_described(server, path, got)
            assert server.post(path, {"model": "none"}).status_code in (400, 404)
        else:
            assert server.post(path.format(name="own"), {}).status_code == 405, path


def test_the_addresses_of_one_model_are_described(server: Server) -> None:
    paths = description(server.url)["paths"]
    for path, endpoint in SAID.items():
        for before in ("/begin", "/models/{served}", "/models/{served}/begin") if endpoint.of_clients else ():
            (operation,) = paths[before + path].values()
            named = [p for p in operation.get("parameters", []) if p["name"] == "served"]
            assert bool(named) == ("{served}" in before)
            url = (before + path).format(served="words", name="words")
            asked = dict(endpoint.example or {})
            got = server.get(url) if endpoint.request is None else server.post(url, asked)
            assert got.status_code == 200, got.text
            as_described(server, before + path, got)


def test_links_lead_to_operations(server: Server) -> None:
    paths = description(server.url)["paths"]
    operations = {o["operationId"]: (path, o) for path, found in paths.items() for o in found.values()}
    assert len(operations) == len(paths)
    links = [
        (path, link)
        for path, o in operations.values()
        for link in o["responses"]["200"].get("links", {}).values()
    ]
    assert len(links) == 1 + 4 + 4
    for path, link in links:
        other, operation = operations[link["operationId"]]
        assert path.partition("/v1")[0].removesuffix("/tokenize") == other.partition("/v1")[0].removesuffix(
            "/detokenize"
        )
        needed = {p["name"] for p in operation.get("parameters", []) if p.get("required")}
        assert needed == set(link.get("parameters", {}))


HOOKS = {"SCHEMATHESIS_HOOKS": str(Path(__file__).with_name("schemathesis_hooks.py"))}


def schemathesis(server: Server, home: Path, *options: str, **environment: str) -> str:
    """Run schemathesis on the description, all checks but one; its report.

    The check that is left out wants an answer to each request of the described shape. `HOOKS` has a check of our own in its
    place, which names each refusal that no schema can describe.
    """
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json",
        "--no-color", "--mode", "all", "--generation-deterministic", "--no-shrink", "--checks", "all",
        "--exclude-checks", "positive_data_acceptance", "--suppress-health-check", "all", "--warnings", "off", *options,
    ]  # fmt: skip
    environment = {**os.environ, **environment}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=home, timeout=600, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cases = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert cases is not None and cases[1] == cases[2], done.stdout
    return done.stdout


def test_a_few_requests_of_schemathesis(server: Server, tmp_path: Path) -> None:
    assert "Fuzzing (in" in schemathesis(server, tmp_path, "--phases", "examples,fuzzing", "-n", "2", **HOOKS)


@pytest.mark.thorough
@pytest.mark.parametrize("phase", ["coverage", "fuzzing", "stateful"])
def test_many_requests_of_schemathesis(server: Server, tmp_path: Path, phase: str) -> None:
    schemathesis(server, tmp_path, "--phases", phase, "-n", "60")
