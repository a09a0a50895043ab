"""What no good client sends, over a raw socket: each is refused, none is a 5xx, and the next client is answered."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from served import Answer, Server, ask, connected, http, read_answer, serving, until

GOOD = (
    b'{"model": "own", "prompt": "the cat", "max_tokens": 1, "echo": true, "logprobs": 1, "temperature": 0}'
)
REFUSED = {400, 403, 404, 405, 408, 413, 415, 422, 429}
POSTS = ["/v1/completions", "/v1/score", "/tokenize", "/detokenize"]


def refusal(server: Server, request: bytes) -> Answer:
    answer = ask(server, request)
    assert answer is not None
    assert answer.status in REFUSED, answer
    assert set(answer.error) >= {"message", "type", "param", "code", "advice"}
    assert answer.headers["content-type"] == "application/json"
    return answer


def completion(server: Server, **fields: Any) -> Answer:
    body = {"model": "own", "prompt": "a", "max_tokens": 1, **fields}
    return refusal(server, http("POST", "/v1/completions", json.dumps(body).encode()))


# ---------------------------------------------------------------------------------------------------------- no HTTP

NO_HTTP = [
    b"\r\n\r\n\r\nx\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /health HTTP/1.1\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nX\x00Y: 1\r\n\r\n",
    b"GET /h\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
    + b"".join(b"X%d: %s\r\n" % (k, b"y" * 1000) for k in range(80)),
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 70_000,
    http("POST", "/v1/completions", GOOD, "Content-Length: -1"),
    http("POST", "/v1/completions", GOOD, "Content-Length: x"),
    http("POST", "/v1/completions", GOOD, "Content-Length: 4", "Content-Length: 5"),
    http("POST", "/v1/completions", GOOD, "Content-Length: " + "9" * 30),
    http("POST", "/v1/completions", b"zz\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
    http("POST", "/v1/completions", b"-1\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
    http("POST", "/v1/completions", b"0\r\n\r\n", "Transfer-Encoding: gzip, chunked"),
    # Refused twice: by the protocol, and by the application, which has not asked for the body.
    http("POST", "/v1/completions", b"zz\r\n", "Transfer-Encoding: chunked", "Content-Type: text/plain"),
    http("POST", "/none", b"zz\r\n", "Transfer-Encoding: chunked"),
]


@pytest.mark.parametrize("sent", NO_HTTP, ids=range(len(NO_HTTP)))
def test_bytes_that_are_no_http_are_refused(server: Server, sent: bytes) -> None:
    assert refusal(server, sent).status in (400, 413)
    assert server.get("/health").status_code == 200


def test_two_lengths_of_one_body_do_not_smuggle_a_request(server: Server) -> None:
    inner = http("GET", "/health")
    sent = http(
        "POST", "/v1/completions", b"0\r\n\r\n" + inner, "Transfer-Encoding: chunked", "Content-Length: 5"
    )
    with connected(server) as s, s.makefile("rb") as stream:
        s.sendall(sent)
        s.shutdown(socket.SHUT_WR)
        answers = []
        with contextlib.suppress(OSError):
            while (answer := read_answer(stream)) is not None:
                answers.append(answer.status)
    assert 200 not in answers[:1]
    assert len(answers) <= 2


# ------------------------------------------------------------------------------------------- paths, methods, headers


def test_a_refusal_says_what_to_do(server: Server) -> None:
    nowhere = server.get("/v1/chat/completions").json()["error"]
    assert nowhere["advice"] == ["read what each path answers at /openapi.json"]
    assert "/v1/completions, " in nowhere["message"] and "/begin," not in nowhere["message"]
    method = server.get("/v1/score").json()["error"]["message"]
    assert method == "expected the method POST, got GET; send the request with that method"
    model = server.post("/v1/completions", {"model": "x", "prompt": "a"}).json()["error"]
    assert model["message"].startswith("model: expected one of own, ") and len(model["advice"]) == 2
    unknown = server.post("/v1/completions", {"prompt": [65, 999]}).json()["error"]["message"]
    assert unknown == (
        "prompt: expected ids from 0 to 256, or 257 (x0), got 999 at index 1; take the ids that /tokenize answers"
    )
    for misnamed in ({"text": "a"}, {"texts": ["a"], "text": "a"}):
        advice = server.post("/v1/score", misnamed).json()["error"]["advice"]
        assert advice[0].startswith("choose among the fields model, texts, given")
    assert server.post("/v1/score", {"texts": [7]}).json()["error"]["advice"] == []
    many = server.post("/v1/completions", {"prompt": "a", "n": 2, "max_tokens": 100_000}).json()["error"]
    assert many["advice"] == ["split the request", "ask for fewer tokens (max_tokens, n)"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/tokenize/", 404, "unknown_url"),
        ("GET", "/../../etc/passwd", 404, "unknown_url"),
        ("GET", "/%2e%2e/%00", 404, "unknown_url"),
        ("GET", "/v1/models/own/", 404, "model_not_found"),
        ("GET", "http://evil.example/health", 404, "unknown_url"),
        ("GET", "//health", 404, "unknown_url"),
        ("GET", "/" + "a" * 20_000, 404, "unknown_url"),
        ("GET", "/v1/completions", 405, "method_not_allowed"),
        ("DELETE", "/v1/completions", 405, "method_not_allowed"),
        ("OPTIONS", "/v1/completions", 405, "method_not_allowed"),
        ("PATCH", "/health", 405, "method_not_allowed"),
        ("X" * 300, "/health", 405, "method_not_allowed"),
        ("POST", "/v1/completions", 415, "unsupported_media_type"),
        ("GET", "/tokenizer_info?model=../../etc/passwd", 404, "model_not_found"),
        ("GET", "/tokenizer_info?model=%ff%00", 404, "model_not_found"),
    ],
)  # fmt: skip
def test_paths_and_methods(server: Server, method: str, path: str, status: int, code: str) -> None:
    answer = refusal(server, http(method, path))
    assert (answer.status, answer.error["code"]) == (status, code)
    assert len(answer.body) < 1500
    assert ("allow" in answer.headers) == (status == 405)


def test_head_has_no_body(server: Server) -> None:
    with connected(server) as s:
        s.sendall(http("HEAD", "/health", b"", "Connection: close"))
        sent = b"".join(iter(lambda: s.recv(4096), b""))
    assert sent.startswith(b"HTTP/1.1 200")
    assert sent.endswith(b"\r\n\r\n")


def test_an_upgrade_is_not_heeded(server: Server) -> None:
    answer = ask(server, http("GET", "/health", b"", "Connection: Upgrade", "Upgrade: websocket"))
    assert answer is not None
    assert answer.status == 200


# ------------------------------------------------------------------------------------------------------------ bodies


def test_bodies_of_one_byte(server: Server) -> None:
    with connected(server) as s, s.makefile("rb") as stream:
        for path in POSTS:
            for byte in range(0, 256, 5):
                s.sendall(http("POST", path, bytes([byte])))
                answer = read_answer(stream)
                assert answer is not None
                assert (answer.status, answer.error["code"]) == (400, "invalid_json")


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"prompt":"\\ud800"}', b'{"model":NaN}', b'{"model":' + b"9" * 5000 + b"}", b'{"model":1,"model":1}',
     b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00", b'{"model":"own\x00"}', b"[]", b"null", b'{"model":[],"prompt":{},"texts":{},"tokens":{}}'],
    ids=range(11),
)  # fmt: skip
def test_bodies_that_are_no_request(server: Server, path: str, body: bytes) -> None:
    answer = refusal(server, http("POST", path, body))
    assert answer.status == 400
    assert 0 <= answer.error["offset"] <= len(body)


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(server: Server) -> None:
    with connected(server) as s, s.makefile("rb") as stream:
        s.sendall(http("POST", "/v1/completions", b" ", f"Content-Length: {(8 << 20) + 1}"))
        answer = read_answer(stream)
    assert answer is not None
    assert answer.status == 413


def test_a_chunked_body_that_is_too_large_is_refused(server: Server) -> None:
    chunk = b"%x\r\n%s\r\n" % (1 << 20, b" " * (1 << 20))
    answer = refusal(
        server, http("POST", "/v1/completions", chunk * 9 + b"0\r\n\r\n", "Transfer-Encoding: chunked")
    )
    assert (answer.status, answer.error["code"]) == (413, "too_large")


def test_a_chunked_body_of_single_bytes_is_read(server: Server) -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % b for b in GOOD) + b"0\r\n\r\n"
    answer = ask(server, http("POST", "/v1/completions", chunks, "Transfer-Encoding: chunked"))
    assert answer is not None
    assert answer.status == 200


# ------------------------------------------------------------------------------------------------ values that are wrong

TOO_MUCH = [
    ({"prompt": ["a"] * 257}, 400), ({"prompt": [[1]] * 257}, 400), ({"prompt": "x" * 140_000}, 413),
    ({"prompt": "x" * (2 << 20)}, 413), ({"prompt": [1] * 140_000}, 413), ({"max_tokens": 10**6}, 400),
    ({"max_tokens": 10**30}, 400), ({"max_tokens": -1}, 400), ({"n": 129}, 400), ({"n": 0}, 400), ({"n": 10**9}, 400),
    ({"logprobs": 101}, 400), ({"logprobs": -1}, 400), ({"prompt_logprobs": -1}, 400), ({"temperature": -0.1}, 400),
    ({"temperature": 1e308}, 400), ({"top_p": 1.5}, 400), ({"seed": 1.5}, 400), ({"echo": "yes"}, 400),
    ({"stop": [""] * 10_000}, 400), ({"stream": 1}, 400),
    ({"prompt": [-1]}, 400), ({"prompt": [10**6]}, 400), ({"prompt": [2**63]}, 400), ({"prompt": [1, "a"]}, 400),
    ({"prompt": [[1], "a"]}, 400), ({"prompt": [[[1]]]}, 400), ({"prompt": {"text": "a"}}, 400),
    ({"model": "../../etc/passwd"}, 404), ({"model": "/etc/passwd"}, 404), ({"model": ""}, 404), ({"model": "x" * 100_000}, 404),
    ({"model": "words", "prompt": "zebra"}, 400),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "status"), TOO_MUCH, ids=range(len(TOO_MUCH)))
def test_more_than_a_request_may_ask(server: Server, fields: dict[str, Any], status: int) -> None:
    answer = completion(server, **fields)
    assert answer.status == status, answer.error
    assert "expected" in answer.error["message"]
    assert len(answer.body) < 1500


# ---------------------------------------------------------------------------------------------- connections that misbehave


def test_requests_in_one_packet_are_answered_in_order(server: Server) -> None:
    texts = ["the", "a", "dog", "", "the cat sat"] * 4
    packets = [http("POST", "/tokenize", json.dumps({"model": "own", "prompt": t}).encode()) for t in texts]
    with connected(server) as s, s.makefile("rb") as stream:
        s.sendall(b"".join(packets))
        found = [read_answer(stream) for _ in texts]
    alone = [server.post("/tokenize", {"model": "own", "prompt": t}).json() for t in texts]
    assert [json.loads(a.body) for a in found if a is not None] == alone


def test_a_length_that_is_too_short_leaves_no_request(server: Server) -> None:
    with connected(server) as s, s.makefile("rb") as stream:
        s.sendall(http("POST", "/tokenize", b'{"prompt": "a"}garbage\r\n\r\n', "Content-Length: 15"))
        statuses = [a.status for a in iter(lambda: read_answer(stream), None) if a is not None]
    assert statuses == [200, 400]


def test_clients_that_go_away_before_or_after_their_request(server: Server) -> None:
    request = http("POST", "/v1/completions", GOOD)
    for cut in (1, 20, len(request) - len(GOOD), len(request) - 1, len(request)):
        for how in ("close", "half", "reset"):
            with connected(server) as s:
                s.sendall(request[:cut])
                if how == "half":
                    s.shutdown(socket.SHUT_WR)
                    s.recv(1)
                elif how == "reset":
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    until(server.idle, "an idle server")
    assert server.post("/v1/completions", json.loads(GOOD)).status_code == 200


def test_a_client_that_goes_away_frees_its_work(tmp_path: Path, fitted_files: dict[str, str]) -> None:
    with serving(tmp_path, fitted_files) as s:
        frees_the_work_of_who_goes_away(s)


def frees_the_work_of_who_goes_away(server: Server) -> None:
    before = server.post("/v1/completions", json.loads(GOOD)).json()["choices"]
    long = {"model": "endless", "prompt": "the", "max_tokens": 60_000}
    texts = {"model": "endless", "texts": ["the cat sat " * 2000] * 2, "given": "a"}
    for path, body in [
        ("/v1/completions", long),
        ("/v1/completions", {**long, "stream": True}),
        ("/v1/score", texts),
    ]:
        with connected(server) as s:
            s.sendall(http("POST", path, json.dumps(body).encode()))
            until(lambda: server.metric("pofx_running") > 0, "work")
        until(server.idle, "an idle server")
    assert server.post("/v1/completions", json.loads(GOOD)).json()["choices"] == before


def test_bad_requests_never_touch_their_neighbours(server: Server) -> None:
    good, bad = (
        http("POST", "/v1/completions", GOOD),
        http("POST", "/v1/completions", b'{"model": "own", "prompt": [99999]}'),
    )
    alone = ask(server, good)
    assert alone is not None
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(connected(server)) for _ in range(16)]
        for k, s in enumerate(sockets):
            s.sendall(bad if k % 2 else good)
        answers = [read_answer(stack.enter_context(s.makefile("rb"))) for s in sockets]
    assert [a.status for a in answers if a is not None] == [200, 400] * 8
    same = json.loads(alone.body)["choices"]
    assert all(json.loads(a.body)["choices"] == same for a in answers[::2] if a is not None)


def test_a_thousand_requests_leave_no_descriptor_and_no_thread(server: Server) -> None:
    for _ in range(3):
        server.get("/ready")
    until(server.idle)
    descriptors, threads = server.descriptors(), server.threads()
    for k in range(100):
        with connected(server) as s:
            s.sendall(http("POST", "/tokenize", b"{" if k % 2 else b'{"prompt": "a"}'))
            if k % 3:
                s.recv(10)
    until(lambda: server.idle() and server.descriptors() <= descriptors, "closed sockets")
    assert server.threads() <= max(threads, 40)
