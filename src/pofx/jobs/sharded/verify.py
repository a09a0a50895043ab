"""The check of an output directory: each part is hashed again, and what is missing, damaged or foreign is named."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pofx.errors import BadSource
from pofx.files.folders.folder import Folder
from pofx.files.folders.opening import open_folder
from pofx.files.json_file import parse_object, seal_of
from pofx.jobs.sharded.commit import Commit, find_commit
from pofx.jobs.sharded.plan import Plan, read_plan
from pofx.jobs.sharded.totals import totals_of
from pofx.jobs.sharded.unit import PLAN, TOTALS, Unit

Fault = Literal["missing", "damaged", "foreign", "totals"]
_MOST = 1 << 20


@dataclass(frozen=True)
class Finding:
    """A fault of an output directory.

    Attributes:
        fault: "missing": a unit has no record, or a file that its record names is gone. "damaged": a file has another hash
            than its record says, or a record cannot be read. "foreign": a file belongs to no unit of the plan. "totals": the
            totals are missing, or are not the sums of the records.
        path: The file.
        told: The fault in words.
    """

    fault: Fault
    path: str
    told: str


def verify(directory: str | os.PathLike[str]) -> list[Finding]:
    """Check the output directory of a sharded job.

    Args:
        directory: The directory, or the URL of a prefix of a store.

    Returns:
        The faults, in the order of the units; [] where the directory is whole.

    Raises:
        BadSource: The directory has no plan, or the plan is damaged.
        MissingExtra: pyarrow is missing.

    Right: `verify("out")` before the parts are copied elsewhere. Wrong: `verify` while the job runs, since a unit
    that is still to be done has the fault "missing".
    """
    folder = open_folder(directory)
    plan = read_plan(folder)
    out: list[Finding] = []
    commits: list[Commit] = []
    for unit in plan.units:
        commit, faults = _unit(plan, unit, folder)
        out += faults
        commits += [commit] if commit is not None else []
    out += _foreign(plan, folder)
    if len(commits) == len(plan.units):
        out += _totals(plan, commits, folder)
    return out


def _unit(plan: Plan, unit: Unit, folder: Folder) -> tuple[Commit | None, list[Finding]]:
    path = folder.path(unit.commit)
    try:
        commit = find_commit(folder, unit)
    except BadSource as e:
        return None, [Finding("damaged", path, str(e))]
    if commit is None:
        return None, [Finding("missing", path, "the unit is not done")]
    if (commit.unit, commit.fingerprint) != (unit.number, plan.fingerprint):
        return None, [Finding("foreign", path, "a record of another job or unit")]
    out = []
    for file, code in ((unit.part, commit.part), (unit.errors, commit.errors)):
        if not code:
            continue
        try:
            found = folder.sha256(file)
        except BadSource as e:
            out.append(Finding("damaged", folder.path(file), str(e)))
            continue
        if found is None:
            out.append(Finding("missing", folder.path(file), "the record names it"))
        elif found != code:
            told = f"expected SHA-256 {code[:12]}…, got {found[:12]}…"
            out.append(Finding("damaged", folder.path(file), told))
    return commit, out


def _foreign(plan: Plan, folder: Folder) -> list[Finding]:
    known = {PLAN, TOTALS, *(file for unit in plan.units for file in unit.files)}
    # A name with a dot belongs to a run that goes on, or that was killed; the next run removes such files.
    return [
        Finding("foreign", folder.path(file), "no unit has such a file")
        for file in folder.modified()
        if file not in known
    ]


def forget_faulty(directory: str | os.PathLike[str], findings: Sequence[Finding]) -> int:
    """Remove the files of units that have a fault, so that the job does these units again.

    Args:
        directory: The output directory, or the URL of a prefix of a store.
        findings: The findings of `verify`.

    Returns:
        The number of records that were removed.

    Raises:
        BadSource: The directory has no plan, or the plan is damaged.
        OSError: A file cannot be removed.
    """
    folder = open_folder(directory)
    plan, faulty = read_plan(folder), {f.path for f in findings}
    removed = 0
    for unit in plan.units:
        if not faulty & {folder.path(file) for file in unit.files}:
            continue
        removed += _is_there(folder, unit.commit)
        # The record goes first, so that no record is ever without its files.
        folder.remove(unit.commit)
        folder.remove(unit.part, unit.errors)
    return removed


def _is_there(folder: Folder, file: str) -> bool:
    """Return whether anything has the name of a file."""
    try:
        return folder.find(file) is not None
    except BadSource:
        return True


def _totals(plan: Plan, commits: list[Commit], folder: Folder) -> list[Finding]:
    path = folder.path(TOTALS)
    try:
        data = folder.find(TOTALS)
        if data is None:
            told = "all units are done, and the totals are missing; run the job again"
            return [Finding("totals", path, told)]
        record = parse_object(data[:_MOST], path, infinite=True)
    except BadSource as e:
        return [Finding("damaged", path, str(e))]
    seal = record.pop("seal", None)
    sums = {**totals_of(commits).record, "fingerprint": plan.fingerprint}
    if seal != seal_of(record) or record != sums:
        return [Finding("totals", path, "the totals are not the sums of the records")]
    return []
