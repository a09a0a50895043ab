"""The server beside the library: one process that answers many clients, against one process that is given all texts.

    python bench/serve.py                 throughput, latency, shared prefixes: some minutes on two cores
    python bench/serve.py --soak 600      also ten minutes of mixed load, as bench/serve_soak.py alone does
    python bench/serve.py --tools lm-eval also `lm-eval --model hf` on the same texts (needs bench/peers.txt)

The server, the clients and each contender are processes of their own with one thread for products. Times are wall
seconds, since a server is waited for: run it on a machine that does nothing else. Texts are those of bench/score.py: of
task A 400 sentences of 3 to 60 tokens, and of task B ten answers to each context of 300 tokens. The exit code is 0 where
a goal is missed, too; the last lines say which.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import score_limit
import score_texts
from score import prepare, speeds
from score_run import Process, Setting, Tool, say
from serve_process import Client, Server, by_clients
from serve_soak import soak

HERE = Path(__file__).resolve().parent
CLIENTS = (1, 4, 16)
# Megabytes of the server that is asked the same texts again and again: of a round nothing is left in the next one.
FEW = 100


def started(setting: Setting, options) -> dict[str, Process]:
    """The contenders that no client asks, each in a process of its own."""
    contenders = {"pofx.score": Process(Tool("pofx.score", "score_pofx:Complete"), setting)}
    if "lm-eval" in options.tools:
        contenders["lm-eval hf"] = Process(Tool("lm-eval", "score_peers:LMEval", peers=True), setting)
    return contenders


def throughput(setting: Setting, data: dict, cutter, server: Server, options, out: dict) -> None:
    texts = sorted({t for part in data["A"] for t in part})
    x0 = cutter.id_of(setting.begin)
    whole = {"task": "A", "slice": 0}
    rows: dict[str, list[float]] = {}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({**data, "A": [texts]}, file)
        file.flush()
        one = replace(setting, data=Path(file.name))
        contenders = started(one, options)
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


def answers(setting: Setting, data: dict, options, out: dict) -> None:
    """Task B of bench/score.py: ten answers to each context, as the choices of a question are asked.

    A server remembers contexts, so each repetition has contexts of its own, and each number of clients a new server.
    """
    rows: dict[str, list[float]] = {}
    contenders = started(setting, options)
    servers = {clients: new_server(setting) for clients in (CLIENTS[-1], 1)}
    n = 0
    for rep in range(options.reps):
        at = rep % len(data["B"])
        pairs = [(item["context"], a) for item in data["B"][at] for a in item["answers"]]
        n += len(pairs)
        for name, process in contenders.items():
            rows.setdefault(name, []).append(process.ask(task="B", slice=at, batch=10)["wall"])
            say(f"  repetition {rep + 1}  {name:24} {rows[name][-1]:7.2f} s")
        for clients, server in servers.items():
            seconds, _ = by_clients(server, [a for _, a in pairs], clients, [c for c, _ in pairs])
            rows.setdefault(f"serve, {clients} clients", []).append(seconds)
            say(f"  repetition {rep + 1}  serve, {clients} clients {seconds:7.2f} s")
    for process in (*contenders.values(), *servers.values()):
        process.close()
    best = sum(rows["pofx.score"])
    print(f"\n## {n} answers, ten to each context of about 300 tokens\n")
    print("| contender | answers/s | times pofx.score |\n|---|---|---|")
    for name, seconds in rows.items():
        print(f"| {name} | {n / sum(seconds):.1f} | {best / sum(seconds):.2f} |")
    out["answers"] = {"answers": n, "seconds": rows}


def latency(data: dict, server: Server, out: dict) -> None:
    document = data["C"][0][0]
    client = Client(server)
    number = iter(range(1 << 30))  # each question is new to the server, which remembers what it has read
    ask = lambda: timed(lambda: client.total(f"{next(number)} is a short question."))  # noqa: E731
    alone = [ask() for _ in range(30)]
    beside: list[float] = []
    with ThreadPoolExecutor(1) as pool:
        start = time.perf_counter()
        future = pool.submit(Client(server).total, document)
        while not future.done():
            beside.append(ask())
        seconds = time.perf_counter() - start
    lone = timed(lambda: Client(server).total(data["C"][0][1]))
    print("\n## A short question\n\n| | median | 99 % |\n|---|---|---|")
    for name, values in (("alone", alone), ("while a document of 3,000 tokens is scored", beside)):
        print(
            f"| {name} | {1000 * statistics.median(values):.0f} ms | {1000 * percentile(values, 99):.0f} ms |"
        )
    print(f"\nThe document: {lone:.1f} s alone, {seconds:.1f} s beside {len(beside)} short questions.")
    out["latency"] = {"alone": alone, "beside": beside, "document": [lone, seconds]}


def shared_prefix(setting: Setting, data: dict, out: dict) -> None:
    """Each call has a context that the server has not read, except for the last of the three."""
    server = new_server(setting)
    client = Client(server)
    items = iter([item for part in data["B"] for item in part])
    once, many, again = [], [], []
    for one, ten in zip(items, items):
        once.append(timed(lambda one=one: client.total(one["answers"][0], one["context"])))
        many.append(by_clients(server, ten["answers"], len(ten["answers"]), ten["context"])[0])
        again.append(timed(lambda one=one: client.total(one["answers"][1], one["context"])))
    client.close()
    server.close()
    ratios = [statistics.median(values) / statistics.median(once) for values in (many, again)]
    print(f"\n## Ten answers to one context from ten clients\n\n{ratios[0]:.2f} times one call (goal: 1.3).")
    print(f"A further answer to a context takes {ratios[1]:.2f} times the first.")
    out["shared"] = {"once": once, "many": many, "again": again}


def new_server(setting: Setting, *options: str) -> Server:
    return Server(setting.source, "--begin", setting.begin, *options, threads=setting.threads)


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
        print(f"Processor: {out['processor']}, {options.threads} thread(s) for products")
        server = new_server(setting, "--prefix-memory", str(FEW))
        try:
            throughput(setting, data, cutter, server, options, out)
            latency(data, server, out)
            if options.soak:
                out["soak"] = soak(data["A"][0], server, options.soak, together=True)
        finally:
            server.close()
        answers(setting, data, options, out)
        shared_prefix(setting, data, out)
    if options.json:
        Path(options.json).write_text(json.dumps(out), encoding="utf-8")


if __name__ == "__main__":
    main()
