"""How far a job is: the sums over its commit records."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

from pofx.files.folders.opening import open_folder
from pofx.jobs.sharded.commit import find_commits
from pofx.jobs.sharded.plan import read_plan
from pofx.jobs.sharded.totals import Totals, totals_of


@dataclass(frozen=True)
class Status:
    """The state of a job.

    Attributes:
        units: All units of the plan.
        bytes_share: The share of the bytes of the input that is done.
        totals: The sums over the units that are done.
        tokens_per_second: The tokens of all units but the first to be committed, divided by the seconds from the first
            commit to the last; None for fewer than two units.
        error_files: The files of rows that have no score.
    """

    units: int
    bytes_share: float
    totals: Totals
    tokens_per_second: float | None
    error_files: tuple[str, ...]

    @property
    def record(self) -> dict[str, Any]:
        """The state as JSON."""
        return {**asdict(self), "totals": self.totals.record, "done": self.totals.units == self.units}


def status(directory: str | os.PathLike[str]) -> Status:
    """Read how far the job of an output directory is; the job may run meanwhile.

    Args:
        directory: The output directory, or the URL of a prefix of a store.

    Returns:
        The state at the time of the call.

    Raises:
        BadSource: The directory has no plan, or a record is damaged.
        MissingExtra: pyarrow is missing.
    """
    folder = open_folder(directory)
    plan = read_plan(folder)
    commits, modified = find_commits(folder, plan.units), folder.modified()
    found = [(unit, commits[unit.number]) for unit in plan.units if unit.number in commits]
    times = sorted((modified.get(unit.commit, 0.0), commit.tokens) for unit, commit in found)
    seconds = times[-1][0] - times[0][0] if len(times) > 1 else 0.0
    every = sum(u.bytes for u in plan.units)
    return Status(
        len(plan.units),
        sum(u.bytes for u, _ in found) / max(every, 1),
        totals_of([commit for _, commit in found]),
        sum(tokens for _, tokens in times[1:]) / seconds if seconds > 0 else None,
        tuple(folder.path(unit.errors) for unit, commit in found if commit.errors),
    )
