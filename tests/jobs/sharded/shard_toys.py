"""Jobs of a tiny model that any process can make, and the events of a run."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pofx
from pofx.jobs.documents import Documents
from pofx.jobs.job import Job
from pofx.jobs.score_rows import ScoreRows
from pofx.jobs.sharded.running import ShardedJob, ShardsEnd, run_sharded
from pofx.jobs.sharded.unit import PLAN, TOTALS, Unit

POISON = "the poison"


@dataclass(frozen=True)
class DeadlyRows(ScoreRows):
    """Rows whose query kills its process at one text, as a text does that needs more memory than there is."""

    def bind(self, lm: pofx.LM) -> Any:
        query = super().bind(lm)

        def deadly(texts: Sequence[Any], given: Sequence[Any]) -> Any:
            if POISON in texts:
                os.kill(os.getpid(), signal.SIGKILL)
            return query(texts, given)

        return deadly


@dataclass(frozen=True)
class Recipe:
    """A job of a saved model."""

    model: str
    documents: Documents
    rows: ScoreRows = field(default_factory=ScoreRows)

    def __call__(self) -> Job:
        return Job(pofx.load(self.model), self.model, self.documents, self.rows, "out")


def run(
    recipe: Recipe, directory: Path | str, workers: int = 1, n_bytes: int = 60, **options: Any
) -> tuple[list[Any], ShardsEnd]:
    """Run a job to its end: its events and its end."""
    sharded = ShardedJob(recipe, directory, workers, lambda: n_bytes, **options)
    events: list[Any] = []
    running = run_sharded(recipe(), sharded)
    while True:
        try:
            events.append(next(running))
        except StopIteration as stop:
            return events, stop.value


def files_of(directory: Path) -> dict[str, bytes]:
    """Every file below a directory, by its path."""
    return {
        str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()
    }


@dataclass(frozen=True)
class Places:
    """The files of an output directory of this machine as paths."""

    directory: Path

    @property
    def plan(self) -> Path:
        return self.directory / PLAN

    @property
    def totals(self) -> Path:
        return self.directory / TOTALS

    def part(self, unit: Unit) -> Path:
        return self.directory / unit.part

    def commit(self, unit: Unit) -> Path:
        return self.directory / unit.commit
