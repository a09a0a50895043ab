"""Jobs in directories: how much faster several workers are, what a unit costs, and how time grows with the input.

    python bench/scale.py                 n-gram: 1, 10 and 50 MB by one worker and by all cores; what a unit costs
    python bench/scale.py --model smollm2 --sizes 0.02     the same of another model, megabytes
    python bench/scale.py --json scale.json

The text is made: documents of the Python standard library whose words are shuffled by a fixed seed, so that lines differ
and no cache helps. Each run is the command `pofx score`, in a process of its own; runs take turns, none beside another.
CPU seconds are of all its processes; peak memory is that of the largest one.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from serve import processor

PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Run:
    """One run of the command.

    Attributes:
        megabytes: The size of the input.
        workers: How many processes did the units.
        units: How many units the input was cut into.
        wall: Seconds.
        cpu: CPU seconds of all processes.
        peak: Resident megabytes of the largest process.
        tokens: The tokens that were scored.
    """

    megabytes: float
    workers: int
    units: int
    wall: float
    cpu: float
    peak: float
    tokens: int


def write_text(path: Path, n_bytes: int) -> None:
    """Write lines of shuffled words, of about so many bytes in all."""
    import pofx

    chance = random.Random(0)
    documents = [d.split() for d in pofx.builtin_documents()]
    size = 0
    with path.open("w", encoding="utf-8") as f:
        while size < n_bytes:
            words = list(chance.choice(documents))
            chance.shuffle(words)
            line = " ".join(words) + "\n"
            size += len(line.encode("utf-8"))
            f.write(line)


def score(path: Path, out: Path, model: str, begin: str | None, workers: int, unit: str | None) -> Run:
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "pofx", "score", str(path), "-m", model, "-o", f"{out}/", "--no-text"]
    command += ["--workers", str(workers), "--quiet", *(["--unit-size", unit] if unit else [])]
    command += ["--begin", begin] if begin else []
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    # Workers are forked from a process that outlives the command for a moment, and then becomes a child of this one.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    child = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    assert os.waitstatus_to_exitcode(status) in (0, 1), command
    wall = time.perf_counter() - started
    with suppress(ChildProcessError):
        while True:
            os.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    totals = json.loads((out / "totals.json").read_text(encoding="ascii"))
    return Run(
        path.stat().st_size / 1e6,
        workers,
        totals["units"],
        wall,
        cpu,
        max(used.ru_maxrss, after.ru_maxrss) / 1e3,
        totals["tokens"],
    )


def show(runs: list[Run]) -> None:
    print("| MB | workers | units | wall s | CPU s | tokens/s | largest process, MB |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for r in runs:
        print(
            f"| {r.megabytes:g} | {r.workers} | {r.units} | {r.wall:.1f} | {r.cpu:.1f} | "
            f"{r.tokens / r.wall:,.0f} | {r.peak:.0f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--begin")
    parser.add_argument("--sizes", type=float, nargs="+", default=[1, 10, 50], metavar="MB")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    print(f"{processor()}, {cores} cores, model {options.model}\n")
    runs: list[Run] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for size in options.sizes:
            text = home / "text.txt"
            write_text(text, round(size * 1e6))
            for workers in (1, cores):
                # Both have the same units, so that the ratio is of workers alone.
                unit = str(max(65536, round(size * 1e6 / 16)))
                runs.append(score(text, home / "out", options.model, options.begin, workers, unit))
        show(runs)
        print()
        for one, all_ in zip(runs[::2], runs[1::2]):
            print(f"{one.megabytes:g} MB: {one.wall / all_.wall:.2f} times as fast by {cores} workers")
        first = options.sizes[0]
        write_text(text, round(first * 1e6))
        few = score(text, home / "out", options.model, options.begin, 1, f"{round(first * 1e6 / 4)}")
        many = score(text, home / "out", options.model, options.begin, 1, f"{round(first * 1e6 / 200)}")
        cost = (many.wall - few.wall) / (many.units - few.units)
        print(f"a unit costs {1e3 * cost:.1f} ms more than none ({few.units} and {many.units} units)")
    if options.json:
        options.json.write_text(json.dumps([asdict(r) for r in runs], indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
