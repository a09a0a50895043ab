"""The check of an output directory: each part is hashed again, and what is missing, damaged or foreign is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pofx.errors import BadSource
from pofx.files.json_file import find_object, seal_of
from pofx.jobs.sharded.commit import Commit, find_commit, sha256_of
from pofx.jobs.sharded.plan import Plan, read_plan
from pofx.jobs.sharded.totals import totals_of
from pofx.jobs.sharded.unit import Places, Unit

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
    path: Path
    told: str


def verify(directory: Path) -> list[Finding]:
    """Check the output directory of a sharded job.

    Args:
        directory: The directory.

    Returns:
        The faults, in the order of the units; [] where the directory is whole.

    Raises:
        BadSource: The directory has no plan, or the plan is damaged.
        MissingExtra: pyarrow is missing.

    Right: `verify(Path("out"))` before the parts are copied elsewhere. Wrong: `verify` while the job runs, since a unit
    that is still to be done has the fault "missing".
    """
    plan, places = read_plan(directory), Places(directory)
    out: list[Finding] = []
    commits: list[Commit] = []
    for unit in plan.units:
        commit, faults = _unit(plan, unit, places)
        out += faults
        commits += [commit] if commit is not None else []
    out += _foreign(plan, places)
    if len(commits) == len(plan.units):
        out += _totals(plan, commits, places)
    return out


def _unit(plan: Plan, unit: Unit, places: Places) -> tuple[Commit | None, list[Finding]]:
    path = places.commit(unit)
    try:
        commit = find_commit(path)
    except BadSource as e:
        return None, [Finding("damaged", path, str(e))]
    if commit is None:
        return None, [Finding("missing", path, "the unit is not done")]
    if (commit.unit, commit.fingerprint) != (unit.number, plan.fingerprint):
        return None, [Finding("foreign", path, "a record of another job or unit")]
    out = []
    for file, code in ((places.part(unit), commit.part), (places.errors(unit), commit.errors)):
        if not code:
            continue
        if not file.is_file():
            out.append(Finding("missing", file, "the record names it"))
        elif sha256_of(file) != code:
            out.append(
                Finding("damaged", file, f"expected SHA-256 {code[:12]}…, got {sha256_of(file)[:12]}…")
            )
    return commit, out


def _foreign(plan: Plan, places: Places) -> list[Finding]:
    known = {places.plan, places.totals}
    for unit in plan.units:
        known |= {places.part(unit), places.errors(unit), places.commit(unit)}
    # A name with a dot belongs to a run that goes on, or that was killed; the next run removes such files.
    files = sorted(
        p for p in places.directory.rglob("[!.]*") if p.is_file() and not _is_hidden(p, places.directory)
    )
    return [Finding("foreign", p, "no unit has such a file") for p in files if p not in known]


def _is_hidden(path: Path, top: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(top).parts)


def forget_faulty(directory: Path, findings: Sequence[Finding]) -> int:
    """Remove the records of units whose files are faulty, so that the job does these units again.

    Args:
        directory: The output directory.
        findings: The findings of `verify`.

    Returns:
        The number of records that were removed.

    Raises:
        BadSource: The directory has no plan, or the plan is damaged.
        OSError: A record cannot be removed.
    """
    plan, places = read_plan(directory), Places(directory)
    faulty = {f.path for f in findings}
    removed = 0
    for unit in plan.units:
        files = {places.part(unit), places.errors(unit), places.commit(unit)}
        if faulty & files and places.commit(unit).exists():
            places.commit(unit).unlink()
            removed += 1
    return removed


def _totals(plan: Plan, commits: list[Commit], places: Places) -> list[Finding]:
    path = places.totals
    try:
        record = find_object(path, _MOST, infinite=True)
    except BadSource as e:
        return [Finding("damaged", path, str(e))]
    if record is None:
        return [Finding("totals", path, "all units are done, and the totals are missing; run the job again")]
    seal = record.pop("seal", None)
    sums = {**totals_of(commits).record, "fingerprint": plan.fingerprint}
    if seal != seal_of(record) or record != sums:
        return [Finding("totals", path, "the totals are not the sums of the records")]
    return []
