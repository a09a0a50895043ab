"""The n-gram of unbounded order beside orders 3 to 16: bits per byte of held-out text, speed and memory, on one core.

    python bench/unbounded.py [--texts hash tail subwords] [--orders 3 4 5 6 7 8 16]
    python bench/unbounded.py --texts lines:10 lines:50 --orders 5

The texts are on every machine: the docstrings of the Python library, with one document in twenty held out by a hash of its
text (`hash`; many passages occur again), or the last twentieth (`tail`; other modules); and the first ones over 2,000
subwords (`subwords`). `lines:10` is 10 MB of the distinct lines of `bench/fit_ngram_scale.py`, with 2,000 others held out.
Seconds are user and system time of a process.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fit_ngram_scale import lines, parts

TEXTS = ("hash", "tail", "subwords")
LINES = "lines:"  # then MB of text


def text(name: str) -> str:
    """Check the name of a text."""
    if name not in TEXTS and not (name.startswith(LINES) and float(name.removeprefix(LINES)) > 0):
        raise ValueError
    return name


def documents_of(name: str) -> tuple[list[str], list[str], str]:
    import pofx
    from pofx.corpus.split import split_documents

    if Path(name).is_dir():  # what `write_lines` wrote
        train, held = (Path(name, part).read_text("utf-8").split("\n") for part in ("train", "held"))
        return train, held, "bytes"
    found = pofx.builtin_documents()
    if name == "tail":
        cut = len(found) * 19 // 20
        return found[:cut], found[cut:], "bytes"
    return *split_documents(found, 0.05), "bpe:2000" if name == "subwords" else "bytes"


def write_lines(megabytes: float, home: Path) -> None:
    """Write documents to two files; the process of the fit does not gather them, since the gathering takes much memory."""
    some, held = parts(lines())
    ends = itertools.accumulate(len(line) + 1 for line in some)
    most = sum(end <= megabytes * 1e6 for end in ends)
    (home / "train").write_bytes(b"\n".join(some[:most]))
    (home / "held").write_text("\n".join(held), "utf-8")


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
    parser.add_argument("--texts", nargs="+", type=text, default=TEXTS)
    parser.add_argument("--orders", nargs="+", type=int, default=[3, 4, 5, 6, 7, 8, 16])
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        name, order = args.one
        print(json.dumps(measure(name, None if order == "none" else int(order))))
        return
    for name in args.texts:
        with tempfile.TemporaryDirectory() as home:
            if name.startswith(LINES):
                write_lines(float(name.removeprefix(LINES)), Path(home))
            show(name, home if name.startswith(LINES) else name, [*map(str, args.orders), "none"])


def show(name: str, source: str, orders: list[str]) -> None:
    print(
        f"{name:8} order   bits/byte   fit CPU s   tokens/s (held out; ten times)   bytes a token: disk, peak"
    )
    for order in orders:
        # A process each, so that each has a peak of its own.
        command = [sys.executable, __file__, "--one", source, order]
        r = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(
            f"{r['tokens']:8,} {order:>5} {r['bits']:11.3f} {r['fit']:11.2f} "
            f"{r['rates'][0]:14,.0f} {r['rates'][1]:14,.0f} {r['disk']:22.1f} {r['peak']:6.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
