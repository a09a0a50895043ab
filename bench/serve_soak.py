"""A server under mixed load for minutes: its memory, file descriptors and threads, and its first and last answers.

    python bench/serve_soak.py                    ten minutes, an n-gram of the built-in texts
    python bench/serve_soak.py --seconds 150      a shorter run
    python bench/serve_soak.py --model smollm2 --begin '<|endoftext|>'
    python bench/serve_soak.py --together …       calls are computed together, with the memory of prefixes

A round has eight clients that ask, clients that go away while the server computes or sends a stream, senders that stop in
the middle of a request, connections that are half closed, and bodies that are no JSON. A sample is taken after a round, when
the server works on nothing and has closed its last connection. The exit code is 1 where a descriptor or a thread is left,
an answer has changed, or memory may grow by a block a request: the slope and twice its error reach 16 bytes a request.

The server runs without the caches that glibc keeps for each thread, and with one arena. The caches fill for many minutes, by
up to 230 KiB a thread, and then grow no more. With them, memory grew by 60 KiB a minute at 7,500 requests a minute,
while the blocks that Python and malloc held stayed the same. It also keeps few
kernels for products, which otherwise become more for some thousand requests. With --together an answer is the
same to 1e-5 nats a token, and the memory of prefixes has 16 MiB.
"""

from __future__ import annotations

import argparse
import json
import math
import socket
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from serve_process import Client, Server, by_clients

# anyio ends a thread that was idle for 10 s, when the next thread has finished its work.
IDLE = 10.5
WARM_UP = 0.5  # of the seconds
# Seven free blocks of each of 64 sizes, of up to 1 KiB, are kept for a thread by default.
NO_CACHES = {
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",
    "MALLOC_ARENA_MAX": "1",
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "16",
    "LRU_CACHE_CAPACITY": "1",
}
TOGETHER = ("--prefix-memory", "16")
SAME = 1e-5  # nats a token
# Resident memory is a staircase, so the residuals of neighbouring samples are alike: the error counts each of so many
# stretches of time as one. With independent residuals it came out ten times too small.
STRETCHES = 8
LEAVERS = 4  # of each kind in a round
BLOCK = 16  # the least bytes that an object takes


@dataclass(frozen=True)
class Sample:
    """A server at rest: seconds since the first sample, resident bytes, file descriptors and threads."""

    seconds: float
    memory: int
    descriptors: int
    threads: int


def sample(server: Server, start: float) -> Sample:
    server.quiet()
    return Sample(time.monotonic() - start, server.memory(), server.descriptors(), server.threads())


def rested(server: Server, start: float) -> Sample:
    """A sample after the idle threads have ended."""
    server.quiet()
    time.sleep(IDLE)
    with closing(Client(server)) as client:
        client.total("A short question.")
    return sample(server, start)


def slope(samples: list[Sample]) -> tuple[float, float]:
    """Growth of the resident memory by least squares, and its standard error (clustered): bytes a minute."""
    n = len(samples)
    x = [s.seconds / 60 for s in samples]
    y = [s.memory for s in samples]
    mx, my = sum(x) / n, sum(y) / n
    sxx = sum((a - mx) ** 2 for a in x)
    b = sum((a - mx) * (c - my) for a, c in zip(x, y)) / sxx
    moments = [0.0] * STRETCHES
    for k, (a, c) in enumerate(zip(x, y)):
        moments[k * STRETCHES // n] += (a - mx) * (c - my - b * (a - mx))
    return b, math.sqrt(STRETCHES / (STRETCHES - 1) * sum(m * m for m in moments)) / sxx


def load(server: Server, texts: list[str]) -> None:
    """One round."""
    by_clients(server, texts[:64], 8)
    for text in texts[:LEAVERS]:
        leave(server, "/v1/score", {"texts": [text * 40]})
        leave(server, "/v1/completions", {"prompt": text, "max_tokens": 2000, "stream": True, "seed": 0})
    whole = request_bytes({"texts": texts[:1]})
    for cut in (10, len(whole) // 2, len(whole) - 1):
        with socket.create_connection(("127.0.0.1", server.port), 60) as s:
            s.sendall(whole[:cut])
    with socket.create_connection(("127.0.0.1", server.port), 60) as s:
        s.sendall(whole)
        s.shutdown(socket.SHUT_WR)
    with closing(server.connect()) as bad:
        bad.request("POST", "/v1/completions", b"\xff{" * 100, {"Content-Type": "application/json"})
        assert 400 <= bad.getresponse().status < 500


def leave(server: Server, path: str, body: dict) -> None:
    """Ask, and go away before the answer."""
    with closing(server.connect()) as leaver:
        leaver.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})


def request_bytes(body: dict) -> bytes:
    data = json.dumps(body).encode()
    lines = [
        "POST /v1/score HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(data)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + data


def answers(server: Server, texts: list[str]) -> list[tuple[float, int]]:
    """Log p of each text, and its number of tokens, EOS included."""
    with closing(Client(server)) as client:
        found = [client.post("/v1/score", {"texts": [t]})["scores"][0] for t in texts]
    return [(one["total_nats"], len(one["tokens"])) for one in found]


def soak(texts: list[str], server: Server, seconds: float, together: bool = False) -> dict:
    """Let the load run for so many seconds after a warm-up, and print what was found."""
    first = answers(server, texts[:20])
    stop = time.monotonic() + WARM_UP * seconds
    while time.monotonic() < stop:
        load(server, texts)
    start = time.monotonic()
    before = rested(server, start)
    samples = []
    while time.monotonic() < start + seconds:
        load(server, texts)
        samples.append(sample(server, start))
    apart = max(abs(a - b) / n for (a, n), (b, _) in zip(answers(server, texts[:20]), first))
    equal = apart <= SAME * together
    after = rested(server, start)
    half = samples[len(samples) // 2 :]
    grown, error = slope(half)
    print(f"\n## Soak of {seconds:.0f} s, {len(samples)} rounds after a warm-up\n")
    print("| | at the start | at the end |\n|---|---|---|")
    print(f"| resident MB | {before.memory / 2**20:.1f} | {after.memory / 2**20:.1f} |")
    print(f"| file descriptors | {before.descriptors} | {after.descriptors} |")
    print(f"| threads | {before.threads} | {after.threads} |")
    print(
        f"\nFirst and last answers differ by {apart:.1e} nats a token at most{'' if equal else ', TOO MUCH'}."
    )
    print(
        f"Memory in the second half: {grown / 1024:+.1f} ± {error / 1024:.1f} KiB a minute (standard error)."
    )
    rounds = (len(half) - 1) / ((half[-1].seconds - half[0].seconds) / 60)
    asked = rounds * (64 + 2 * LEAVERS + 5)
    print(
        f"That is {grown / asked:+.1f} ± {error / asked:.1f} bytes a request, of {asked:.0f} requests a minute."
    )
    good = equal and after.descriptors == before.descriptors and after.threads == before.threads
    return {
        "good": good and grown + 2 * error < BLOCK * asked,
        "before": asdict(before),
        "after": asdict(after),
        "samples": [asdict(s) for s in samples],
        "slope": [grown, error],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--model", help="by default an n-gram of the built-in texts")
    parser.add_argument("--begin", help="x0")
    parser.add_argument("--together", action="store_true", help="serve without --deterministic")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()

    import pofx

    documents = pofx.builtin_documents()
    texts = [line for d in documents for line in str(d).splitlines() if 20 < len(line) < 120][:200]
    with tempfile.TemporaryDirectory() as home:
        source = options.model
        if source is None:
            source = f"{home}/ngram"
            pofx.save(pofx.fit(documents[:20]), source)
        begin = ["--begin", options.begin] if options.begin else []
        mode = TOGETHER if options.together else ("--deterministic",)
        server = Server(source, *mode, *begin, **NO_CACHES)
        try:
            found = soak(texts, server, options.seconds, options.together)
        finally:
            server.close()
    if options.json:
        Path(options.json).write_text(json.dumps(found), encoding="utf-8")
    sys.exit(0 if found["good"] else 1)


if __name__ == "__main__":
    main()
