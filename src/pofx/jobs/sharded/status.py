"""How far a job is: the sums over its commit records."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pofx.jobs.sharded.commit import find_commit
from pofx.jobs.sharded.plan import read_plan
from pofx.jobs.sharded.totals import Totals, totals_of
from pofx.jobs.sharded.unit import Places


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
    error_files: tuple[Path, ...]

    @property
    def record(self) -> dict[str, Any]:
        """The state as JSON."""
        out = {
            **asdict(self),
            "totals": self.totals.record,
            "error_files": [str(p) for p in self.error_files],
        }
        return {**out, "done": self.totals.units == self.units}


def status(directory: Path) -> Status:
    """Read how far the job of an output directory is; the job may run meanwhile.

    Args:
        directory: The output directory.

    Returns:
        The state at the time of the call.

    Raises:
        BadSource: The directory has no plan, or a record is damaged.
        MissingExtra: pyarrow is missing.
    """
    plan, places = read_plan(directory), Places(directory)
    found = [
        (unit, commit) for unit in plan.units if (commit := find_commit(places.commit(unit))) is not None
    ]
    times = sorted((places.commit(unit).stat().st_mtime, commit.tokens) for unit, commit in found)
    seconds = times[-1][0] - times[0][0] if len(times) > 1 else 0.0
    every = sum(u.bytes for u in plan.units)
    return Status(
        len(plan.units),
        sum(u.bytes for u, _ in found) / max(every, 1),
        totals_of([commit for _, commit in found]),
        sum(tokens for _, tokens in times[1:]) / seconds if seconds > 0 else None,
        tuple(places.errors(unit) for unit, commit in found if commit.errors),
    )
