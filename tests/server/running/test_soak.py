"""Half a minute of everything at once: nothing grows, nothing is left, and the first answer is the last."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from served import Server, ask, connected, http, serving, until

SECONDS = 30
GROWTH = 30 << 20  # bytes
# By default a server comes to hold up to 215 MB of kernels for products, over some thousand requests (`inference/linear`). So
# few of them, and one arena of glibc, are full after the first seconds, and what grows later is a leak.
FEW_KERNELS = {
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "16",
    "LRU_CACHE_CAPACITY": "1",
    "MALLOC_ARENA_MAX": "1",
}
PRETRAINED, CONTEXT = ("tiny", "plain", "gguf"), "the cat sat at the hat"
PROBES = [
    {"model": m, "prompt": "the cat", "max_tokens": 0, "echo": True, "logprobs": 5}
    for m in ("own", "tiny", "gguf")
]


def misbehave(server: Server, random: random.Random, stop: float) -> None:
    """One client, which asks, goes away, sends slowly, half-closes and sends what is no request."""
    while time.monotonic() < stop:
        model = random.choice(list(server.models))
        given = "the" if model == "words" else "the cat"[: random.randint(1, 7)]
        if model in PRETRAINED:  # new prompts fill a memory of prefixes, and old ones are found there
            given = random.choice([CONTEXT, "".join(random.choices(CONTEXT, k=30))])
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
@pytest.mark.parametrize("options", [("--deterministic",), ("--prefix-memory", "1")], ids=["alone", "memory"])
def test_half_a_minute_of_everything(
    tmp_path: Path, model_files: dict[str, str], options: tuple[str, ...]
) -> None:
    with serving(tmp_path, model_files, *options, **FEW_KERNELS) as s:

        def answers() -> list[dict[str, Any]]:
            return [s.post("/v1/completions", probe).json()["choices"][0] for probe in PROBES]

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
        last = answers()
        grown = s.resident() - memory
        assert grown < GROWTH, f"{grown >> 20} MiB"
        if options == ("--deterministic",):
            assert last == first
        else:
            for a, b in zip([c["logprobs"] for c in last], [c["logprobs"] for c in first], strict=True):
                assert a["tokens"] == b["tokens"]
                assert a["token_logprobs"] == pytest.approx(b["token_logprobs"], abs=1e-5)
            assert 0 < s.metric("pofx_prefix_bytes") <= 3 << 20
            assert s.metric("pofx_prefix_saved_tokens_total") > 0
        until(lambda: s.descriptors() <= descriptors, "closed descriptors")
        assert s.threads() <= max(threads, 60)
        text = s.get("/metrics").text
        assert 'status="500"' not in text
        assert s.errors.read_text() == ""
