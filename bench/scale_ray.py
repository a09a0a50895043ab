"""Jobs in directories on Ray: what a unit and the start cost beside processes of this machine.

    make .venv-ray/.installed
    .venv-ray/bin/python bench/scale_ray.py            1,000 units of about a line each, by two processes and by two actors

The time of a unit is measured over the last half of the units, when all workers have their model, so the start of processes
and of Ray is apart. Ways take turns, and the median of the rounds counts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pofx
from pofx.jobs.documents import Documents
from pofx.jobs.job import Job
from pofx.jobs.score_rows import ScoreRows
from pofx.jobs.sharded.running import ShardedJob, UnitDone, run_sharded


@dataclass(frozen=True)
class Recipe:
    """A job of the builtin model, which a worker makes for itself."""

    corpus: str
    out: str

    def __call__(self) -> Job:
        rows = ScoreRows(text=False)
        return Job(pofx.load("builtin"), "builtin", Documents((self.corpus,)), rows, self.out)


def timed(recipe: Recipe, workers: int, ray: str | None) -> tuple[float, float]:
    """Seconds to the first unit, and for each unit of the last half."""
    out = Path(recipe.out)
    started = time.perf_counter()
    running = run_sharded(
        recipe(), ShardedJob(recipe, out, workers, lambda: 1, max_error_rate=1.0, fresh=True, ray=ray)
    )
    at = [time.perf_counter() for event in running if isinstance(event, UnitDone)]
    half = at[len(at) // 2 :]
    return at[0] - started, (half[-1] - half[0]) / (len(half) - 1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--units", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    ways: dict[str, str | None] = {"--workers": None, "--ray": "local"}
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder, "corpus.txt")
        corpus.write_text("".join(f"line {k}\n" for k in range(options.units)))
        for _ in range(options.rounds):
            for way, ray in ways.items():
                recipe = Recipe(str(corpus), str(Path(folder, "out")))
                found[way].append(timed(recipe, options.workers, ray))
    print(f"{options.units} units, {options.workers} workers, median of {options.rounds} rounds\n")
    print("| way | first unit after s | ms a unit |")
    print("|---|---:|---:|")
    medians = {way: [statistics.median(c) for c in zip(*runs)] for way, runs in found.items()}
    for way, (first, each) in medians.items():
        print(f"| `{way}` | {first:.1f} | {1e3 * each:.2f} |")
    more = medians["--ray"][1] - medians["--workers"][1]
    print(f"\nRay costs {1e3 * more:.2f} ms a unit more than processes of this machine")


if __name__ == "__main__":
    main()
