"""The sums over all units of a job, added in the order of the units, so that any number of workers gives the same bits."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pofx.files.atomic import write_atomically
from pofx.files.json_file import seal_of
from pofx.jobs.sharded.commit import Commit


@dataclass(frozen=True)
class Totals:
    """Sums over the units of a job that are done.

    Attributes:
        units: How many units are done.
        rows: The rows of the input in these units.
        scored: How many of them have a score.
        tokens: The tokens of the texts that have a score, EOS counted.
        bytes: The bytes of these texts.
        nats: The sum of log p over these texts; nats.
        fitted: How many of these texts the model was fitted on.
        chosen: How many of these texts were held out to choose the model's weights.
    """

    units: int
    rows: int
    scored: int
    tokens: int
    bytes: int
    nats: float
    fitted: int
    chosen: int

    @property
    def errors(self) -> int:
        """The rows that have no score."""
        return self.rows - self.scored


def totals_of(commits: Sequence[Commit]) -> Totals:
    """Add up the records of units, in the order given."""
    return Totals(
        len(commits),
        sum(c.rows for c in commits),
        sum(c.scored for c in commits),
        sum(c.tokens for c in commits),
        sum(c.bytes for c in commits),
        math.fsum(c.nats for c in commits),
        sum(c.fitted for c in commits),
        sum(c.chosen for c in commits),
    )


def write_totals(path: Path, totals: Totals, fingerprint: str) -> None:
    """Write the sums in one step; `OSError` where the place cannot be written."""
    record = {**asdict(totals), "fingerprint": fingerprint}
    write_atomically(path, (json.dumps({**record, "seal": seal_of(record)}, indent=1) + "\n").encode("ascii"))
