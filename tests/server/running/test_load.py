"""A server under load: the bits of its numbers, clients that leave, and its end."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from served import SIGNALS, Server, connected, http, read_answer, serving, until

STREAM = {"model": "endless", "prompt": "the", "max_tokens": 60_000, "seed": 1, "stream": True}
LONG = {"model": "endless", "prompt": "the", "max_tokens": 1500}
# Requests of other kinds and lengths, which a server without `--deterministic` computes together with the probes.
MIXED: list[tuple[str, dict[str, Any]]] = [
    (
        "/v1/completions",
        {"prompt": ["the cat", "a", ""], "max_tokens": 9, "n": 3, "echo": True, "logprobs": 3},
    ),
    ("/v1/completions", {"prompt": "the cat sat", "max_tokens": 0, "echo": True, "logprobs": 1}),
    ("/v1/score", {"texts": ["the cat sat", "dogs", "é"], "entropy": True}),
    ("/v1/sample", {"n": 2, "max_tokens": 30, "seed": 4}),
    ("/v1/next", {"given": "the ", "unit": "word"}),
    ("/v1/words", {"texts": ["the cat sat"]}),
]
PROBES: list[tuple[str, dict[str, Any]]] = [
    ("/v1/completions", {"prompt": "the cat", "max_tokens": 4, "seed": 2, "echo": True, "logprobs": 5}),
    ("/v1/score", {"texts": ["the cat sat", "the cat", "a"], "given": "the "}),
]


def numbers(server: Server) -> list[Any]:
    """What the probes are answered, without what differs by request."""
    found = [server.post(path, {**body, "model": "own"}).json() for path, body in PROBES]
    return [answer.get("choices", answer.get("scores")) for answer in found]


@pytest.mark.thorough
def test_deterministic_numbers_have_the_same_bits_under_mixed_load(
    tmp_path: Path, fitted_files: dict[str, str]
) -> None:
    with serving(tmp_path, fitted_files, "--deterministic") as s, ThreadPoolExecutor(6) as pool:
        alone = numbers(s)
        others = [
            pool.submit(s.post, path, {**body, "model": "own"}) for _ in range(6) for path, body in MIXED
        ]
        among = [numbers(s) for _ in range(6)]
        assert [o.result().status_code for o in others] == [200] * len(others)
        assert among == [alone] * 6


@pytest.mark.thorough
def test_clients_that_leave_in_the_middle_of_a_stream_free_their_work(
    tmp_path: Path, fitted_files: dict[str, str]
) -> None:
    with serving(tmp_path, fitted_files) as s:
        for _ in range(3):
            with connected(s) as client, client.makefile("rb") as stream:
                client.sendall(http("POST", "/v1/completions", json.dumps(STREAM).encode()))
                until(lambda stream=stream: stream.readline().startswith(b"data: "), "an event")
        until(s.idle, "an idle server")
        assert (
            s.metric("pofx_tokens_total") < STREAM["max_tokens"]
        )  # 180,000 if each stream had been drawn to its end
        assert s.errors.read_text() == ""


@pytest.mark.thorough
def test_a_signal_under_load_finishes_what_was_admitted(tmp_path: Path, fitted_files: dict[str, str]) -> None:
    with serving(tmp_path, fitted_files) as s, ExitStack() as open_until_the_end:
        sockets = [open_until_the_end.enter_context(connected(s)) for _ in range(6)]
        for k, client in enumerate(sockets):
            body = {**LONG, "seed": k, "stream": k % 2 == 1}
            client.sendall(http("POST", "/v1/completions", json.dumps(body).encode(), "Connection: close"))
        until(lambda: s.metric("pofx_running") == len(sockets), "work for all")
        s.signal(SIGNALS["SIGTERM"])
        for k, client in enumerate(sockets):
            with client.makefile("rb") as stream:
                if k % 2:
                    assert stream.readline().split()[1] == b"200"
                    whole = stream.read()
                    assert b"data: [DONE]" in whole
                    assert b'"error"' not in whole
                else:
                    answer = read_answer(stream)
                    assert answer is not None
                    assert answer.status == 200
                    assert json.loads(answer.body)["usage"]["completion_tokens"] == LONG["max_tokens"]
        assert s.ended() == 0
        assert s.errors.read_text() == ""
