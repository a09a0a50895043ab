"""The sums over all units of a job, added in the order of the units, so that any number of workers gives the same bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pofx.files.folders.folder import Folder
from pofx.jobs.sharded.commit import Commit, sealed
from pofx.jobs.sharded.sums import Sums, added
from pofx.jobs.sharded.unit import TOTALS


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


def write_totals(folder: Folder, totals: Totals, fingerprint: str) -> None:
    """Write the sums in one step; `OSError` where the folder cannot be written."""
    folder.replace(TOTALS, sealed({**totals.record, "fingerprint": fingerprint}))
