"""Commit records: one file a unit, which says that the unit is done, and what its files hold."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from pofx.errors import BadSource
from pofx.files.folders.folder import Folder
from pofx.files.json_file import parse_object, seal_of
from pofx.jobs.sharded.sums import Sums
from pofx.jobs.sharded.unit import Unit

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


def write_commit(folder: Folder, unit: Unit, commit: Commit) -> Commit:
    """Write the record of a unit in one step, and return the record that the folder has.

    In a store the first record counts; a run that did the same unit later returns that record.

    Raises:
        BadSource: The store has a damaged record.
        OSError: The folder cannot be written.
    """
    data = sealed(commit.record)
    if not folder.put_new(unit.commit, data) and (found := find_commit(folder, unit)) is not None:
        return found
    return commit


def find_commit(folder: Folder, unit: Unit) -> Commit | None:
    """Read the record of a unit; None for a unit without a record.

    Raises:
        BadSource: The file is no record, or is damaged.
        OSError: The file cannot be read.
    """
    data = folder.find(unit.commit)
    return None if data is None else _parsed(data, folder.path(unit.commit))


def find_commits(folder: Folder, units: Sequence[Unit]) -> dict[int, Commit]:
    """Read the records of all units that have one, by the number of the unit; errors as in `find_commit`."""
    found = folder.find_all(u.commit for u in units)
    return {u.number: _parsed(found[u.commit], folder.path(u.commit)) for u in units if u.commit in found}


def _parsed(data: bytes, path: str) -> Commit:
    advice = "remove it, and run the job again"
    if not 0 < len(data) <= _MOST:
        raise BadSource(f"{path}: expected a commit record, got {len(data):,} bytes", advice)
    record = parse_object(data, path, "a commit record", advice, True)
    seal = record.pop("seal", None)
    try:
        if seal != seal_of(record):
            raise TypeError("a seal that does not fit")
        return _checked(Commit(**record))
    except TypeError:
        raise BadSource(f"{path}: expected a commit record, got a damaged file", advice) from None


def _checked(commit: Commit) -> Commit:
    """Return a record whose fields have the types of a record; `TypeError` for another one, which anyone can seal."""
    for field in fields(commit):
        value = getattr(commit, field.name)
        if field.name in ("fingerprint", "part", "errors"):
            fits = isinstance(value, str)
        elif field.name == "nats":
            fits = isinstance(value, float | int) and not isinstance(value, bool) and not math.isnan(value)
        else:
            fits = type(value) is int and value >= 0
        if not fits:
            raise TypeError(field.name)
    return commit


def sealed(record: Mapping[str, Any]) -> bytes:
    """Return a record with its seal as the bytes of a file."""
    return (json.dumps({**record, "seal": seal_of(record)}, indent=1) + "\n").encode("ascii")
