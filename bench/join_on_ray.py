"""The join of copies by one process and by Ray: CPU seconds of all processes, for growing numbers of documents.

    .venv-ray/bin/python bench/join_on_ray.py [--documents 10000 50000] [--cpus 2]

The documents are thirty random words; one in ten is an earlier document, or one with another last word. Ray is a private
one on this machine, which has started before the clock does. CPU seconds of Ray are those of all its processes.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fit_ngram_scale import tree
from pofx.files.folders.opening import open_folder
from pofx.filtering.copies.joining import join_copies
from pofx.filtering.copies.signature import signatures
from pofx.jobs.filtered.on_ray import RayJoin
from pofx.ray_session import LOCAL, ray_session

UNIT = 10_000


def texts(n: int) -> list[str]:
    """Make documents, one in ten of them a copy."""
    chance = random.Random(0)
    words = [f"word{k}" for k in range(20_000)]
    out: list[str] = []
    for k in range(n):
        if k % 10 == 9:
            body = chance.choice(out)
            out.append(body if k % 20 == 9 else f"{body.rsplit(' ', 1)[0]} last")
        else:
            out.append(" ".join(chance.choices(words, k=30)))
    return out


def cpu() -> float:
    """Return the CPU seconds of this process and of all its descendants."""
    ticks = 0
    for pid in tree(os.getpid()):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))  # of itself, and of its children that have ended
    return ticks / os.sysconf("SC_CLK_TCK")


def batches(items: Sequence[str]) -> Callable[[], Iterator[Sequence[str]]]:
    return lambda: (items[at : at + 1000] for at in range(0, len(items), 1000))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, nargs="+", default=[10_000, 50_000])
    parser.add_argument("--cpus", type=int, default=2)
    options = parser.parse_args()
    print("| documents | by | CPU s | wall s |\n|---:|---|---:|---:|")
    with ray_session(LOCAL, options.cpus):
        for n in options.documents:
            some = texts(n)
            codes = signatures(some, "near")
            with tempfile.TemporaryDirectory() as folder:
                home = Path(folder)
                parts = []
                for at in range(0, n, UNIT):
                    parts.append((f"{at}.parquet", at, len(codes[at : at + UNIT])))
                    pq.write_table(pa.table({"signature": codes[at : at + UNIT]}), home / parts[-1][0])
                found = []
                for name in ("one process", "Ray"):
                    (home / name).mkdir()
                    join = (
                        join_copies
                        if name == "one process"
                        else RayJoin(open_folder(home), parts, options.cpus, LOCAL)
                    )
                    clock, started = cpu(), time.perf_counter()
                    found.append(join(n, batches(codes), batches(some), "near", home / name))
                    print(
                        f"| {n:,} | {name} | {cpu() - clock:.1f} | {time.perf_counter() - started:.0f} |",
                        flush=True,
                    )
                assert all(np.array_equal(a, b) for a, b in zip(*found))


if __name__ == "__main__":
    main()
