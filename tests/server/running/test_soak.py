"""Half a minute of everything at once: nothing grows, nothing is left, and the first answer is the last."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import threading
import time
from pathlib import Path

import pytest

from served import Server, ask, connected, http, serving, until

SECONDS = 30
PROBES = [
    {"model": m, "prompt": "the cat", "max_tokens": 0, "echo": True, "logprobs": 5}
    for m in ("own", "tiny", "gguf")
]


def misbehave(server: Server, random: random.Random, stop: float) -> None:
    """One client, which asks, goes away, sends slowly, half-closes and sends what is no request."""
    while time.monotonic() < stop:
        model = random.choice(list(server.models))
        given = "the" if model == "words" else "the cat"[: random.randint(1, 7)]
        body = {
            "model": model,
            "prompt": given,
            "max_tokens": random.choice([0, 1, 20, 2000]),
            "echo": True,
            "logprobs": 2,
        }
        request = http(
            "POST", "/v1/completions", json.dumps({**body, "stream": random.random() < 0.3}).encode()
        )
        kind = random.randrange(7)
        with contextlib.suppress(OSError):
            if kind < 2:
                answer = ask(server, request)
                assert answer is None or answer.status < 500
            elif kind == 2:
                answer = ask(
                    server, http("POST", "/v1/completions", random.randbytes(random.randint(1, 200)))
                )
                assert answer is not None
                assert answer.status == 400
            else:
                with connected(server) as s:
                    if kind == 3:
                        s.sendall(request)  # and away
                    elif kind == 4:
                        s.sendall(request[: random.randint(1, len(request) - 1)])
                    elif kind == 5:
                        s.sendall(request)
                        s.shutdown(socket.SHUT_WR)
                    else:
                        for byte in request[:40]:
                            s.sendall(bytes([byte]))


@pytest.mark.thorough
def test_half_a_minute_of_everything(tmp_path: Path, model_files: dict[str, str]) -> None:
    with serving(tmp_path, model_files, "--deterministic") as s:

        def answers() -> list[object]:
            return [s.post("/v1/completions", probe).json()["choices"] for probe in PROBES]

        def load(seed: int, seconds: float) -> None:
            stop = time.monotonic() + seconds
            clients = [
                threading.Thread(target=misbehave, args=(s, random.Random(8 * seed + k), stop))
                for k in range(8)
            ]
            for c in clients:
                c.start()
            for c in clients:
                c.join()
            until(s.idle, "an idle server")

        first = answers()
        load(0, SECONDS / 3)  # what is allocated once
        threads, descriptors, memory = s.threads(), s.descriptors(), s.resident()
        load(1, 2 * SECONDS / 3)
        assert answers() == first
        until(lambda: s.descriptors() <= descriptors, "closed descriptors")
        assert s.threads() <= max(threads, 60)
        assert s.resident() - memory < 30 << 20
        text = s.get("/metrics").text
        assert 'status="500"' not in text
        assert s.errors.read_text() == ""
