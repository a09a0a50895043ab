"""Speed, memory and growth of the n-gram family, on one core.

    python bench/ngram.py [--data TEXT] [--growth 1 10 100]

Fitting and scoring of an order-7 n-gram over bytes on tiny-shakespeare; then growth with the size of the text, on
real text that is on every machine: the Python files beside this interpreter, a file a document.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path


def timed(function, repeats: int) -> float:
    times = []
    for _ in range(repeats):
        clock = time.process_time()
        function()
        times.append(time.process_time() - clock)
    return statistics.median(times)


def speed(data: Path, order: int) -> None:
    import pofx
    from pofx.queries.scoring.totals import score_totals

    text = data.read_bytes()
    spec = pofx.NgramSpec(order=order)
    lm = pofx.fit([text], spec)
    fit = timed(lambda: pofx.fit([text], spec), 7)
    score = timed(lambda: pofx.score(lm, [text]), 7)
    print(
        f"order {order}, {len(text):,} bytes: fit {fit:.3f} CPU s, {len(text) / fit / 1e6:.1f} MB/s; "
        f"score {score:.3f} CPU s, {len(text) / score / 1e6:.1f} MB/s (medians of 7)"
    )
    lines = text.decode().split("\n\n")
    score = timed(lambda: pofx.score(lm, lines), 5)
    print(f"   as {len(lines):,} documents: score {score:.3f} CPU s, {len(text) / score / 1e6:.1f} MB/s")
    totals = timed(lambda: score_totals(lm, lines), 5)
    print(f"   as {len(lines):,} documents: totals {totals:.3f} CPU s, {len(text) / totals / 1e6:.1f} MB/s")


def python_files(most: int) -> Iterator[bytes]:
    held = 0
    for root in (sysconfig.get_paths()["stdlib"], sysconfig.get_paths()["purelib"]):
        for path in sorted(Path(root).rglob("*.py")):
            try:
                data = path.read_bytes()[: most - held]
            except OSError:
                continue
            held += len(data)
            if data:
                yield data
            if held >= most:
                return


def growth(size: int, order: int) -> dict:
    import pofx

    clock = time.process_time()
    n = 0

    def documents() -> Iterator[bytes]:
        nonlocal n
        for d in python_files(size):
            n += len(d)
            yield d

    lm = pofx.fit(documents(), pofx.NgramSpec(order=order))
    cpu = time.process_time() - clock
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"bytes": n, "cpu": cpu, "peak_mb": peak, "ngrams": len(lm.table)}


def main() -> None:
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=here.parent.parent / "shared" / "data" / "shakespeare.txt"
    )
    parser.add_argument("--growth", type=float, nargs="*", default=[1, 3, 10, 30, 100], help="MB of text")
    parser.add_argument("--order", type=int, default=6)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(growth(options.one, options.order)))
        return
    if options.data.is_file():
        speed(options.data, 7)
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    print(
        f"\ngrowth, order {options.order} over bytes: text, CPU s, MB/s, distinct n-grams, peak MB (whole process)"
    )
    for megabytes in options.growth:
        command = [
            sys.executable,
            __file__,
            "--one",
            str(int(megabytes * 1e6)),
            "--order",
            str(options.order),
        ]
        r = json.loads(subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout)
        print(
            f"{r['bytes'] / 1e6:7.1f} MB {r['cpu']:8.2f} s {r['bytes'] / r['cpu'] / 1e6:6.1f} MB/s "
            f"{r['ngrams']:12,} {r['peak_mb']:8.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
