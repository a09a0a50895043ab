"""The n-gram of unbounded order beside orders 3 to 16: bits per byte of held-out text, speed and memory, on one core.

    python bench/unbounded.py [--texts hash tail subwords] [--orders 3 4 5 6 7 8 16]

The texts are on every machine: the docstrings of the Python library, with one document in twenty held out by a hash of its
text (`hash`; many passages occur again), or the last twentieth (`tail`; other modules); and the first ones over 2,000
subwords (`subwords`). Seconds are user and system time of a process.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TEXTS = ("hash", "tail", "subwords")


def documents_of(name: str) -> tuple[list[str], list[str], str]:
    import pofx
    from pofx.corpus.split import split_documents

    found = pofx.builtin_documents()
    if name == "tail":
        cut = len(found) * 19 // 20
        return found[:cut], found[cut:], "bytes"
    return *split_documents(found, 0.05), "bpe:2000" if name == "subwords" else "bytes"


def measure(name: str, order: int | None) -> dict[str, object]:
    import pofx

    train, held, vocab = documents_of(name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clock = time.process_time()
    lm = pofx.fit(train, pofx.NgramSpec(order=order, vocab=vocab))
    fit = time.process_time() - clock
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    tokens = sum(len(ids) + 1 for ids in lm.vocab.encode_many(train))
    with tempfile.TemporaryDirectory() as home:
        pofx.save(lm, Path(home) / "model")
        size = (Path(home) / "model" / "model.safetensors").stat().st_size
    paths = [[*ids, lm.vocab.end] for ids in lm.vocab.encode_many(held)]
    rates = []
    for batch in (paths, paths * 10):
        clock = time.process_time()
        trace = lm.forward(batch)
        rates.append(sum(map(len, batch)) / (time.process_time() - clock))
    total = math.fsum(float(row.sum()) for row in trace.logp) / 10
    return {
        "bits": -total / math.log(2) / sum(len(t.encode()) for t in held),
        "fit": fit,
        "rates": rates,
        "disk": size / tokens,
        "peak": peak * 1024 / tokens,
        "tokens": tokens,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", nargs="+", choices=TEXTS, default=TEXTS)
    parser.add_argument("--orders", nargs="+", type=int, default=[3, 4, 5, 6, 7, 8, 16])
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        name, order = args.one
        print(json.dumps(measure(name, None if order == "none" else int(order))))
        return
    for name in args.texts:
        print(
            f"{name:8} order   bits/byte   fit CPU s   tokens/s (held out; ten times)   bytes a token: disk, peak"
        )
        for order in [*map(str, args.orders), "none"]:
            # A process each, so that each has a peak of its own.
            command = [sys.executable, __file__, "--one", name, order]
            r = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(
                f"{r['tokens']:8,} {order:>5} {r['bits']:11.3f} {r['fit']:11.2f} "
                f"{r['rates'][0]:14,.0f} {r['rates'][1]:14,.0f} {r['disk']:22.1f} {r['peak']:6.0f}"
            )


if __name__ == "__main__":
    main()
