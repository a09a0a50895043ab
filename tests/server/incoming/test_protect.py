"""Who may ask: keys, hosts, origins and kinds of body, in an application without a socket and over a real one."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import pytest

from pofx import BadValue
from pofx.server.app import make_app
from pofx.server.incoming.protect import check_settings
from pofx.server.settings import Settings
from served import Server, ask, http
from small_models import ngram

EVERYWHERE = "0.0.0.0"  # noqa: S104  (refused, or with a key)
BODY = b'{"prompt": "a", "max_tokens": 1}'
JSON = "Content-Type: application/json"


@pytest.fixture(scope="module")
def call() -> Callable[..., tuple[int, Mapping[str, str], bytes]]:
    """Ask an application of some settings; answers the status, the headers and the body."""
    lm = ngram()

    def ask(  # type: ignore[no-untyped-def]
        settings: Settings,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        raises: Any = (),
    ):
        app = make_app([("own", lm)], settings)
        sent: list[dict[str, Any]] = []
        parts = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if parts:
                return parts.pop()
            await anyio.sleep_forever()
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        raw = [(k.lower().encode(), v.encode()) for k, v in {"host": "127.0.0.1:1", **headers}.items()]
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
            "scheme": "http", "http_version": "1.1", "headers": raw, "server": ("127.0.0.1", 1), "client": ("127.0.0.1", 2),
        }  # fmt: skip
        with contextlib.suppress(raises):  # what the server logs, after it has answered
            anyio.run(app, scope, receive, send)
        got = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        return sent[0]["status"], got, b"".join(m.get("body", b"") for m in sent[1:])

    return ask


PATHS = ["/v1/completions", "/v1/score", "/v1/models", "/tokenize", "/detokenize", "/tokenizer_info", "/ready", "/metrics", "/none"]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_the_key_covers_all_but_health_and_the_files_of_the_page(call: Any, path: str) -> None:
    keyed = Settings(api_key="sesame")
    for given in ({}, {"authorization": "Bearer "}, {"authorization": "Bearer"}, {"authorization": "Bearer sesam"},
                  {"authorization": "Bearer sesame1"}, {"authorization": "Basic sesame"}, {"authorization": "sesame"},
                  {"authorization": "Bearer \xff"}, {"x-api-key": "sesame"}):  # fmt: skip
        for method in ("GET", "POST", "OPTIONS", "HEAD", "DELETE"):
            status, headers, _ = call(keyed, method, path, given, BODY)
            assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert {call(keyed, "GET", open_path, {})[0] for open_path in ("/health", "/")} == {200}
    for given in ("Bearer sesame", "bearer  sesame "):
        status = call(keyed, "GET", path, {"authorization": given})[0]
        assert status in (200, 404, 405)
    assert call(Settings(), "GET", path, {"authorization": "Bearer "})[0] in (200, 404, 405)


def test_an_answer_never_repeats_the_key(call: Any) -> None:
    body = call(Settings(api_key="sesame"), "GET", "/v1/models", {"authorization": "Bearer other"})[2]
    assert b"other" in body  # "got another key"
    assert b"sesame" not in body


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8000", "localhost:1", "LOCALHOST", "[::1]:80", "localhost."]
)
def test_a_server_without_a_key_answers_by_its_own_names(call: Any, host: str) -> None:
    assert call(Settings(), "GET", "/v1/models", {"host": host})[0] == 200


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil:8000", "[::1", "x@localhost", "127.0.0.2"],
)
def test_a_page_cannot_let_its_own_name_point_here(call: Any, host: str) -> None:
    for path in ("/v1/models", "/health"):
        status, _, body = call(Settings(), "GET", path, {"host": host})
        assert (status, b"host_not_allowed" in body) == (403, True)
    assert (
        call(Settings(api_key="k"), "GET", "/v1/models", {"host": host, "authorization": "Bearer k"})[0]
        == 200
    )
    assert call(Settings(host="127.0.0.2"), "GET", "/health", {"host": "127.0.0.2:1"})[0] == 200


def test_no_page_of_another_origin_may_ask(call: Any) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1:2", "file://"):
        for method in ("GET", "POST", "OPTIONS"):
            status, headers, _ = call(
                Settings(), method, "/v1/models", {"origin": origin, "content-type": "application/json"}
            )
            assert status == 403
            assert not any(h.startswith("access-control") for h in headers)
    status, headers, _ = call(Settings(), "GET", "/v1/models", {"origin": "http://127.0.0.1:1"})
    assert (status, "access-control-allow-origin" in headers) == (200, False)


def test_an_origin_that_was_named_may_ask(call: Any) -> None:
    opened = Settings(origins=("https://good.example",), api_key="k")
    asks = {"origin": "https://good.example", "access-control-request-method": "POST"}
    status, headers, _ = call(opened, "OPTIONS", "/v1/completions", asks)
    assert (status, headers["access-control-allow-origin"]) == (204, "https://good.example")
    assert headers["access-control-allow-headers"] == "authorization, content-type"
    assert "Origin" in headers["vary"]
    assert "access-control-allow-credentials" not in headers
    status, headers, _ = call(opened, "GET", "/v1/models", {"origin": "https://good.example"})
    assert (status, headers["access-control-allow-origin"]) == (401, "https://good.example")
    assert call(opened, "GET", "/v1/models", {"origin": "https://good.example.evil"})[0] == 403
    assert (
        call(opened, "GET", "/v1/models", {"origin": "https://good.example", "authorization": "Bearer k"})[0]
        == 200
    )


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx",
     "text/plain; application/json", "application/json; charset=latin-1"],
)  # fmt: skip
def test_a_body_must_say_that_it_is_json(call: Any, kind: str) -> None:
    status, _, body = call(
        Settings(), "POST", "/v1/completions", {"content-type": kind} if kind else {}, BODY
    )
    assert (status, b"unsupported_media_type" in body) == (415, True)


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
def test_a_body_that_says_json_is_read(call: Any, kind: str) -> None:
    assert call(Settings(), "POST", "/v1/completions", {"content-type": kind}, BODY)[0] == 200
    coded = {"content-type": kind, "content-encoding": "gzip"}
    assert call(Settings(), "POST", "/v1/completions", coded, BODY)[0] == 415


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(host=EVERYWHERE), "host: expected an address of this machine alone, or a key"),
        (Settings(host="::"), "host: expected an address of this machine alone, or a key"),
        (Settings(host="example.org"), "host: expected an address of this machine alone, or a key"),
        (Settings(api_key=""), "api_key: expected a key of visible ASCII"),
        (Settings(api_key="a b"), "api_key: expected a key of visible ASCII"),
        (Settings(api_key="clé"), "api_key: expected a key of visible ASCII"),
        (Settings(origins=("*",)), "origins: expected an origin"),
        (Settings(origins=("https://a.example/",)), "origins: expected an origin"),
        (Settings(origins=("null",)), "origins: expected an origin"),
    ],
)  # fmt: skip
def test_settings_that_are_not_safe_are_refused(settings: Settings, words: str) -> None:
    with pytest.raises(BadValue) as caught:
        check_settings(settings)
    assert str(caught.value).startswith(words)


def test_settings_that_are_safe_are_taken() -> None:
    for good in (Settings(), Settings(host="::1"), Settings(host="localhost"), Settings(host="127.3.2.1"),
                 Settings(host=EVERYWHERE, api_key="k"), Settings(origins=("http://localhost:3000",))):  # fmt: skip
        check_settings(good)


def test_a_bug_of_ours_is_500_in_the_shape_of_all_errors(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pofx.server.running.metrics.Metrics.text", lambda _: 1 / 0)
    status, _, body = call(Settings(), "GET", "/metrics", {}, raises=ZeroDivisionError)
    error = json.loads(body)["error"]
    assert (status, error["type"], error["code"]) == (500, "server_error", "internal_error")
    assert "division" not in body.decode()


def test_over_a_socket(server: Server) -> None:
    for request, status in [
        (http("GET", "/health"), 200),
        (http("GET", "/health", host="evil.example"), 403),
        (http("POST", "/v1/completions", BODY, "Content-Type: text/plain"), 415),
        (http("POST", "/v1/completions", BODY, "Origin: https://evil.example"), 403),
        (http("POST", "/v1/completions", BODY, "Authorization: Bearer "), 200),
    ]:
        answer = ask(server, request)
        assert answer is not None
        assert answer.status == status
