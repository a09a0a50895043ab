"""The client of a server: addresses, bounds, and errors that say what the server said."""

import json
import socket

import pytest

from loopback import Reply, answering
from pofx.errors import BadSource, BadValue
from pofx.models.outside.address import is_loopback, server_address
from pofx.models.outside.http_client import ServerClient, ServerRefused

SEEN = []


def answer(received):
    SEEN.append((received.path, received.headers, received.body))
    status, headers, out = {
        "/echo": (200, {}, received.body),
        "/page": (200, {}, b"<html>hello"),
        "/nan": (200, {}, b'{"x": NaN, "y": [-Infinity, NaN]}'),
        "/latin": (200, {}, b'{"x": "\xe9"}'),
        "/deep": (200, {}, b"[" * 100_000),
        "/long": (200, {}, b'"' + b"a" * 5000 + b'"'),
        "/zipped": (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b"),
        "/moved": (307, {"Location": "http://example.com/v1"}, b""),
        "/no": (
            400,
            {"Retry-After": "7"},
            json.dumps({"error": {"message": "too\nlong", "code": "context_length_exceeded"}}).encode(),
        ),
        "/detail": (404, {}, b'{"detail": "Not Found"}'),
        "/key": (401, {}, b"x" * 9000),
        "/cut": (200, {"Content-Length": "12"}, b"{}"),
    }[received.path]
    return Reply(status, out, headers)


@pytest.fixture(scope="module")
def url():
    with answering(answer) as at:
        yield at


@pytest.fixture
def client(url):
    with ServerClient(url, "sk-key", seconds=20) as c:
        yield c


def test_a_question_arrives_as_json_with_the_key_in_a_header(client):
    asked = {"prompt": ["é", "a"], "n": 1}
    assert client.post("/echo", asked).json == asked
    path, headers, body = SEEN[-1]
    assert (path, json.loads(body)) == ("/echo", asked)
    assert headers["Authorization"] == "Bearer sk-key"
    assert headers["Accept-Encoding"] == "identity"


def test_no_key_sends_no_header(url):
    with ServerClient(url) as c:
        assert c.post("/echo", {}).json == {}
    assert "Authorization" not in SEEN[-1][1]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/page", "expected JSON, got '<html>hello'"),
        ("/nan", "expected JSON, got the value NaN"),
        ("/latin", "no UTF-8"),
        ("/deep", "expected JSON"),
        ("/zipped", "encoding 'gzip'"),
        ("/moved", "a redirect to 'http://example.com/v1'"),
        ("/cut", "a broken connection"),
    ],
)
def test_what_is_no_answer_is_refused_and_named(client, path, says):
    with pytest.raises(BadSource) as e:
        client.get(path)
    assert says in str(e.value)


def test_a_redirect_is_never_followed(client):
    with pytest.raises(BadSource):
        client.post("/moved", {})
    assert SEEN[-1][0] == "/moved"


def test_an_http_error_says_what_the_server_said(client):
    with pytest.raises(ServerRefused) as e:
        client.get("/no")
    assert (e.value.status, e.value.server_code, e.value.retry_after) == (400, "context_length_exceeded", 7.0)
    assert "HTTP status 400: too long" in str(e.value)
    with pytest.raises(ServerRefused, match="404: Not Found"):
        client.get("/detail")
    with pytest.raises(ServerRefused, match="api_key") as e:
        client.get("/key")
    assert len(str(e.value)) < 500


def test_ask_returns_errors_and_junk_as_values(client):
    assert client.ask("GET", "/no").error["code"] == "context_length_exceeded"
    assert client.ask("GET", "/nan").constants == ("NaN", "-Infinity")
    junk = client.ask("POST", "/echo", content=b"{not json")
    assert (junk.json, SEEN[-1][2]) == (None, b"{not json")
    assert junk.fault


def test_a_long_answer_is_refused(url):
    with ServerClient(url, most_bytes=5002) as c:
        assert len(c.get("/long").json) == 5000
    with ServerClient(url, most_bytes=5001) as c, pytest.raises(BadSource, match="at most 5001 bytes"):
        c.get("/long")


def test_nobody_at_the_address():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with ServerClient(f"http://127.0.0.1:{port}") as c, pytest.raises(BadSource, match="no connection"):
        c.get("/v1/models")


def test_a_server_that_never_answers():

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with (
            ServerClient(f"http://127.0.0.1:{port}", seconds=0.1) as c,
            pytest.raises(BadSource, match="within 0.1 s"),
        ):
            c.get("/v1/models")


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("https://example.com/v1/", "https://example.com"),
        ("https://example.com/openai/v1/completions", "https://example.com/openai"),
        ("http://[::1]:8000/v1", "http://[::1]:8000"),
    ],
)
def test_addresses_are_brought_to_one_form(written, address):
    assert server_address(written) == address


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "127.0.0.1:8000",
        "ftp://a",
        "http://",
        "http://a:99999",
        "http://a:0",
        "http://a b",
        "http://a?x=1",
        "http://a#x",
        "http://é",
        None,
        3,
        "http://[::1",
    ],
)
def test_what_is_no_address_is_refused(bad):
    with pytest.raises(BadValue, match="address of a server"):
        server_address(bad)


def test_a_password_in_an_address_is_refused_and_not_shown():
    with pytest.raises(BadValue, match="api_key") as e:
        server_address("http://me:secret@a")
    assert "secret" not in str(e.value)


@pytest.mark.parametrize("bad", ["", "a b", "a\nX-Evil: 1", "ключ", 3])
def test_a_key_that_no_header_carries_is_refused_and_not_shown(bad):
    with pytest.raises(BadValue) as e:
        ServerClient("http://127.0.0.1:1", bad)
    assert "Evil" not in str(e.value)
    assert "ключ" not in str(e.value)


def test_loopback_addresses_are_known():
    assert all(map(is_loopback, ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"]))
    assert not any(
        map(is_loopback, ["http://128.0.0.1", "http://localhost.example.com", "https://example.com"])
    )
