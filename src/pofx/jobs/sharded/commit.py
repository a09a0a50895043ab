"""Commit records: one file a unit, which says that the unit is done, and what its files hold."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pofx.errors import BadSource
from pofx.files.atomic import write_atomically
from pofx.files.json_file import find_object, seal_of
from pofx.jobs.sharded.sums import Sums

_MOST = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Commit(Sums):
    """The record of a unit that is done, with its sums.

    Attributes:
        unit: The number of the unit.
        fingerprint: The fingerprint of the plan.
        part: The SHA-256 of the part; "" where no row of the unit has a score.
        errors: The SHA-256 of the file of rows without a score; "" where each row has one.
    """

    unit: int
    fingerprint: str
    part: str
    errors: str


def write_commit(path: Path, commit: Commit) -> None:
    """Write a record in one step; `OSError` where the place cannot be written."""
    record = commit.record
    write_atomically(path, (json.dumps({**record, "seal": seal_of(record)}, indent=1) + "\n").encode("ascii"))


def find_commit(path: Path) -> Commit | None:
    """Read the record of a unit; None for a unit without a record.

    Raises:
        BadSource: The file is no record, or is damaged.
    """
    record: dict[str, Any] | None = find_object(
        path, _MOST, "a commit record", "remove it, and run the job again", True
    )
    if record is None:
        return None
    seal = record.pop("seal", None)
    try:
        if seal != seal_of(record):
            raise TypeError("a seal that does not fit")
        return Commit(**record)
    except TypeError:
        raise BadSource(
            f"{path}: expected a commit record, got a damaged file", "remove it, and run the job again"
        ) from None


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file; `OSError` where it cannot be read."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
