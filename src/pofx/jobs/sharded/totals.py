"""The sums over all units of a job, added in the order of the units, so that any number of workers gives the same bits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pofx.files.atomic import write_atomically
from pofx.files.json_file import seal_of
from pofx.jobs.sharded.commit import Commit
from pofx.jobs.sharded.sums import Sums, added


@dataclass(frozen=True, kw_only=True)
class Totals(Sums):
    """Sums over the units of a job that are done.

    Attributes:
        units: How many units are done.
    """

    units: int

    @property
    def errors(self) -> int:
        """The rows that have no score."""
        return self.rows - self.scored


def totals_of(commits: Sequence[Commit]) -> Totals:
    """Add up the records of units."""
    return Totals(units=len(commits), **added(commits))


def write_totals(path: Path, totals: Totals, fingerprint: str) -> None:
    """Write the sums in one step; `OSError` where the place cannot be written."""
    record = {**totals.record, "fingerprint": fingerprint}
    write_atomically(path, (json.dumps({**record, "seal": seal_of(record)}, indent=1) + "\n").encode("ascii"))
