"""The server beside the library: one process that answers many clients, against one process that is given all texts.

    python bench/serve.py                 throughput, latency, shared prefixes: some minutes on two cores
    python bench/serve.py --soak 600      also ten minutes of mixed load, with memory and file descriptors
    python bench/serve.py --tools lm-eval also `lm-eval --model hf` on the same texts (needs bench/peers.txt)

The server, the clients and each contender are processes of their own with one thread for products. Times are wall
seconds, since a server is waited for: run it on a machine that does nothing else. Texts are those of bench/score.py,
task A: 400 sentences of 3 to 60 tokens. The exit code is 0 where a goal is missed, too; the last lines say which.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import score_limit
import score_texts
from score import prepare, speeds
from score_run import Process, Setting, Tool, environment, say

HERE = Path(__file__).resolve().parent
CLIENTS = (1, 4, 16)
COMPUTED = "pofx_pass_seconds_sum"


class Server:
    """`pofx serve` in a process of its own."""

    def __init__(self, setting: Setting, *options: str) -> None:
        command = [sys.executable, "-m", "pofx", "serve", "-m", setting.source, "--begin", setting.begin]
        self.child = subprocess.Popen(
            [*command, "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(setting.threads),
        )
        assert self.child.stdout is not None
        self.port = 0
        for line in self.child.stdout:
            if "http://127.0.0.1:" in line:
                self.port = int(line.split("http://127.0.0.1:")[1].split("/")[0].split()[0].rstrip(".,"))
                break
        assert self.port, "the server said no port"
        stop = time.monotonic() + 120
        while self.get("/ready")[0] != 200:
            assert time.monotonic() < stop, "the server is not ready"
            time.sleep(0.1)

    def get(self, path: str) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=300)
        connection.request("GET", path)
        answer = connection.getresponse()
        out = answer.status, answer.read()
        connection.close()
        return out

    def memory(self) -> int:
        """Resident bytes."""
        for line in Path(f"/proc/{self.child.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def computed(self) -> float:
        """Seconds that the server has computed so far, as /metrics has them."""
        lines = self.get("/metrics")[1].decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(COMPUTED))

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.child.pid}/fd"))

    def close(self) -> None:
        self.child.terminate()
        assert self.child.wait(timeout=60) == 0


class Client:
    """One connection, kept open."""

    def __init__(self, server: Server) -> None:
        self.connection = HTTPConnection("127.0.0.1", server.port, timeout=600)

    def post(self, path: str, body: dict) -> dict:
        self.connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        data = answer.read()
        assert answer.status == 200, data[:300]
        return json.loads(data)

    def total(self, text: str, given: str = "") -> float:
        asked = {"texts": [text], "given": given, "boundary": "token"} if given else {"texts": [text]}
        return self.post("/v1/score", asked)["scores"][0]["total_nats"]


def by_clients(server: Server, texts: list[str], clients: int, given: str = "") -> tuple[float, list[float]]:
    """Wall seconds and numbers of texts that so many clients ask for, one text a request."""
    lines = [texts[k::clients] for k in range(clients)]
    found: dict[str, float] = {}

    def ask(mine: list[str]) -> None:
        client = Client(server)
        for text in mine:
            found[text] = client.total(text, given)

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(ask, lines))
    return time.perf_counter() - start, [found[t] for t in texts]


def throughput(setting: Setting, data: dict, cutter, server: Server, options, out: dict) -> None:
    texts = sorted({t for part in data["A"] for t in part})
    x0 = cutter.id_of(setting.begin)
    whole = {"task": "A", "slice": 0}
    rows: dict[str, list[float]] = {}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({**data, "A": [texts]}, file)
        file.flush()
        one = replace(setting, data=Path(file.name))
        contenders = {"pofx.score": Process(Tool("pofx.score", "score_pofx:Complete"), one)}
        if "lm-eval" in options.tools:
            contenders["lm-eval hf"] = Process(Tool("lm-eval", "score_peers:LMEval", peers=True), one)
        first = contenders["pofx.score"].ask(**whole)
        n = first["tokens"]
        for rep in range(options.reps):
            for name, process in contenders.items():
                rows.setdefault(name, []).append(process.ask(**whole, batch=16)["wall"])
                say(f"  repetition {rep + 1}  {name:24} {rows[name][-1]:7.2f} s")
            for clients in CLIENTS:
                before = server.computed()
                seconds, _ = by_clients(server, texts, clients)
                busy = (server.computed() - before) / seconds
                rows.setdefault(f"serve, {clients} clients", []).append(seconds)
                say(f"  repetition {rep + 1}  serve, {clients} clients {seconds:7.2f} s")
        for process in contenders.values():
            process.close()
    best = min(rows["pofx.score"])
    gemm = speeds(setting, 512, 2)["float32"]
    paths = [([x0, *cutter.ids(t), x0], 0) for t in texts]  # EOS is scored, too
    limit = score_limit.operations(score_limit.read_shape(setting.checkpoint), paths) / gemm["body"] / 1e9
    print(
        f"\n## {len(texts)} texts, {n} tokens\n\n| contender | tokens/s | times pofx.score |\n|---|---|---|"
    )
    for name, seconds in rows.items():
        print(f"| {name} | {n / min(seconds):.0f} | {best / min(seconds):.2f} |")
    print(
        f"| limit: the products alone, at {gemm['body']:.0f} GFLOP/s | {n / limit:.0f} | {best / limit:.2f} |"
    )
    print(f"\nThe server computed for {100 * busy:.0f} % of the time in which {CLIENTS[-1]} clients asked.")
    out["throughput"] = {"texts": len(texts), "tokens": n, "seconds": rows}


def latency(data: dict, server: Server, out: dict) -> None:
    document = data["C"][0][0]
    client = Client(server)
    ask = lambda: timed(lambda: client.total("A short question."))  # noqa: E731
    alone = [ask() for _ in range(30)]
    beside: list[float] = []
    with ThreadPoolExecutor(1) as pool:
        start = time.perf_counter()
        future = pool.submit(Client(server).total, document)
        while not future.done():
            beside.append(ask())
        seconds = time.perf_counter() - start
    lone = timed(lambda: Client(server).total(document))
    print("\n## A short question\n\n| | median | 99 % |\n|---|---|---|")
    for name, values in (("alone", alone), ("while a document of 3,000 tokens is scored", beside)):
        print(
            f"| {name} | {1000 * statistics.median(values):.0f} ms | {1000 * percentile(values, 99):.0f} ms |"
        )
    print(f"\nThe document: {lone:.1f} s alone, {seconds:.1f} s beside {len(beside)} short questions.")
    out["latency"] = {"alone": alone, "beside": beside, "document": [lone, seconds]}


def shared_prefix(data: dict, server: Server, out: dict) -> None:
    context, answers = data["B"][0][0]["context"], data["B"][0][0]["answers"][:10]
    client = Client(server)
    once, many = [], []
    for _ in range(7):
        once.append(timed(lambda: client.total(answers[0], context)))
        many.append(by_clients(server, answers, len(answers), context)[0])
    ratio = statistics.median(many) / statistics.median(once)
    print(f"\n## Ten answers to one context from ten clients\n\n{ratio:.2f} times one call (goal: 1.3).")
    out["shared"] = {"once": once, "many": many}


def soak(data: dict, server: Server, seconds: float, out: dict) -> None:
    texts = data["A"][0]
    first = [Client(server).total(t) for t in texts[:20]]
    samples, stop, k = [], time.monotonic() + seconds, 0
    while time.monotonic() < stop:
        by_clients(server, texts[:64], 8)
        for text in texts[:8]:
            leaver = HTTPConnection("127.0.0.1", server.port, timeout=60)
            leaver.request(
                "POST", "/v1/score", json.dumps({"texts": [text * 40]}), {"Content-Type": "application/json"}
            )
            leaver.close()
        bad = HTTPConnection("127.0.0.1", server.port, timeout=60)
        bad.request("POST", "/v1/completions", b"\xff{" * 100, {"Content-Type": "application/json"})
        assert 400 <= bad.getresponse().status < 500
        bad.close()
        samples.append((server.memory(), server.descriptors()))
        k += 1
    client = Client(server)  # the server has closed connections that idled since the start
    assert [client.total(t) for t in texts[:20]] == first
    memory = [m / 2**20 for m, _ in samples]
    print(f"\n## Soak of {seconds:.0f} s, {k} rounds\n")
    print(f"Resident MB: {memory[len(memory) // 4]:.0f} after a quarter, {memory[-1]:.0f} at the end.")
    print(
        f"File descriptors: {samples[len(samples) // 4][1]}, {samples[-1][1]}. First and last numbers equal to the bit."
    )
    out["soak"] = samples


def processor() -> str:
    """The name that the kernel gives the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next(
        (x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), platform.processor()
    )


def timed(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def percentile(values: list[float], q: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * q / 100))]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--begin", default="<|endoftext|>", help="x0")
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tools", nargs="*", default=[], choices=["lm-eval"])
    parser.add_argument("--soak", type=float, default=0, metavar="SECONDS")
    parser.add_argument("--quick", action="store_true", help="small sizes: a look, not a result")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--peers-python", type=Path, default=HERE.parent / ".venv-peers/bin/python")
    options = parser.parse_args()
    options.sizes = score_texts.QUICK if options.quick else score_texts.Sizes()
    out: dict = {"processor": processor()}
    with tempfile.TemporaryDirectory() as name:
        setting, data, cutter = prepare(options, options.model, Path(name))
        server = Server(setting)
        try:
            print(f"Processor: {out['processor']}, {options.threads} thread(s) for products")
            throughput(setting, data, cutter, server, options, out)
            latency(data, server, out)
            shared_prefix(data, server, out)
            if options.soak:
                soak(data, server, options.soak, out)
        finally:
            server.close()
    if options.json:
        Path(options.json).write_text(json.dumps(out), encoding="utf-8")


if __name__ == "__main__":
    main()
