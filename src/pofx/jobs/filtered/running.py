"""The run of a filter over a corpus: units are judged, copies are joined, and documents go to one of two sides."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from pofx.errors import BadSource
from pofx.files.folders.folder import Folder, sha256_of
from pofx.files.folders.opening import open_folder
from pofx.files.json_file import parse_object
from pofx.filtering.copies.joining import join_copies
from pofx.filtering.copies.signature import Dedupe
from pofx.filtering.overview import Seen
from pofx.jobs.filter_rows import REASON
from pofx.jobs.filtered.decisions import Join, column, decide, ids_of
from pofx.jobs.filtered.on_ray import RayJoin, check_ray_join
from pofx.jobs.filtered.sides import SIDE, ScoredUnit, Side, write_side
from pofx.jobs.job import Job
from pofx.jobs.sharded.commit import find_commit
from pofx.jobs.sharded.plan import START_OVER, Plan, check_settings, read_plan, write_plan
from pofx.jobs.sharded.running import (
    ShardedJob,
    ShardsStart,
    UnitDone,
    remove_job,
    run_sharded,
)
from pofx.jobs.sharded.totals import Totals, totals_of, write_totals
from pofx.jobs.sharded.unit import PLAN, TOTALS
from pofx.jobs.sharded.workers import UnitFailed

# The directory of the first pass, within the directory of the kept documents. A run removes it when both sides are whole.
SCORES = ".scores"
_MOST = 1 << 20
# The number of documents from which Ray joins the copies. One process takes 0.18 ms of CPU a document, so 47 s for this
# number. The first join of Ray took 27 s of CPU for 10,000 documents, and the next 10 s for 50,000.
LEAST_ON_RAY = 1 << 18
# A directory of this machine, or the URL of a prefix of a store.
Name = str | os.PathLike[str]


@dataclass(frozen=True)
class Stage:
    """A stage of the run after the units are judged.

    Attributes:
        told: What the run does now, such as "joining copies".
    """

    told: str


@dataclass(frozen=True)
class FilterEnd:
    """The end of a run.

    Attributes:
        kept: The sums over the documents that are kept; None where some unit failed.
        rest: The sums over all other rows; None where some unit failed.
        reasons: For each reason, how many documents of the rest have this reason; the commonest reason first.
        failed: The units that no worker could judge; then neither side is written.
    """

    kept: Totals | None
    rest: Totals | None
    reasons: tuple[tuple[str, int], ...] = ()
    failed: tuple[UnitFailed, ...] = ()


Event = ShardsStart | UnitDone | UnitFailed | Stage


def run_filter(
    job: Job, dedupe: Dedupe, sharded: ShardedJob, kept: Name, rest: Name
) -> Generator[Event, None, FilterEnd]:
    """Filter a corpus: each document lands in exactly one of two directories.

    The units are judged as the units of any job are, in a hidden directory of `kept`. Copies are then joined over all units,
    and the units are written to the two sides. A run that was stopped is continued. The bytes of both sides depend on the
    plan alone. Of a store, the join copies the parts of the first pass to a directory for temporary files.

    Args:
        job: The job of the first pass, whose query is a `FilterRows` and whose output is `kept / SCORES`.
        dedupe: Which copies are joined, as in the `FilterRows`.
        sharded: How the units are judged; its directory is that of the job.
        kept: The directory of documents that are kept, or the URL of a prefix of a store.
        rest: The directory of all others.

    Yields:
        The events of the first pass, then a `Stage` for each later stage.

    Returns:
        The totals of both sides and the reasons, or the units that failed.

    Raises:
        BadSource: A directory holds other files, is in use, or is of another run; or a file of the input was edited.
        TooManyErrors: More rows have no judgement than `sharded` allows.
        MissingExtra: A package is missing that Ray needs for the join.

    Right: two directories of their own. Wrong: `rest` inside `kept`.
    """
    if sharded.ray is not None and dedupe != "none":
        check_ray_join()
    sides = (Side("kept", open_folder(kept)), Side("rest", open_folder(rest)))
    with ExitStack() as stack:
        for side in sides:
            stack.enter_context(side.folder.held())
            _prepare(side, sharded.fresh)
        out = _finished(job, sides)
        if out is None:
            ended = yield from run_sharded(job, sharded)
            if ended.failed:
                return FilterEnd(None, None, (), ended.failed)
            out = yield from _write(dedupe, sides, sharded)
        sides[0].folder.remove(SCORES)
        for side in sides:
            side.folder.tidy()
    return out


def _prepare(side: Side, fresh: bool) -> None:
    """Empty the directory of a side if `fresh` says so, or refuse a directory that holds other files."""
    if fresh and PLAN in side.folder.top():
        remove_job(side.folder)
    others = side.folder.top()
    if others and PLAN not in others:
        raise BadSource(
            f"{side.folder.name}: expected a new or empty directory, got one with {others[0]!r} in it",
            "name another directory",
        )


def _finished(job: Job, sides: tuple[Side, Side]) -> FilterEnd | None:
    """Return the totals of a run that has ended; None where there is work left, as after `pofx verify --redo` of a side.

    Raises:
        BadSource: A directory is of another filter or of other settings, or a file of the input was edited.
    """
    whole = True
    for side in sides:
        if PLAN not in side.folder.top():
            whole = False
            continue
        plan = read_plan(side.folder)
        if plan.settings.get(SIDE) != side.name:
            raise BadSource(
                f"{side.folder.name}: expected the {side.name} documents of a filter, got another output",
                START_OVER,
            )
        own = {name: value for name, value in plan.settings.items() if name != SIDE}
        check_settings(replace(plan, settings=own), replace(job, out=side.folder.name))
        for unit in {u.path: u for u in plan.units}.values():
            unit.check_input()
        whole &= side.folder.modified().keys() >= {TOTALS, *(unit.commit for unit in plan.units)}
    return _end_of(sides) if whole else None


def _end_of(sides: tuple[Side, Side]) -> FilterEnd:
    kept, rest = (_read_totals(side) for side in sides)
    reasons: Counter[str] = Counter()
    for (found,) in _columns(sides[1], REASON.name):
        reasons.update(found)
    return FilterEnd(kept, rest, tuple(sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))))


def judged_documents(kept: Name, rest: Name) -> Iterator[Seen]:
    """Yield the documents of both sides of a run that has ended, the kept ones first, in constant memory.

    Args:
        kept: The directory of documents that are kept.
        rest: The directory of all others.

    Yields:
        The documents, in the order of the parts.
    """
    names = ("id", "text", "language", "bits_per_byte", REASON.name)
    for side in (Side("kept", open_folder(kept)), Side("rest", open_folder(rest))):
        for rows in _columns(side, *names):
            for id, text, language, bits, why in zip(*rows):
                yield Seen(id, text, language, math.nan if bits is None else bits, why)


def _columns(side: Side, *names: str) -> Iterator[tuple[list[Any], ...]]:
    """Yield columns of all parts of a side, in order, a row group at a time."""
    for unit in read_plan(side.folder).units:
        with TemporaryDirectory(prefix="pofx-part-") as temporary:
            try:
                part = side.folder.fetch(unit.part, Path(temporary))
                yield from zip(*(column([part], n) for n in names))
            except FileNotFoundError:  # no document of the unit is on this side
                continue


def _read_totals(side: Side) -> Totals:
    record = parse_object((side.folder.find(TOTALS) or b"")[:_MOST], side.folder.path(TOTALS), infinite=True)
    try:
        return Totals(**{name: record[name] for name in Totals.__dataclass_fields__})
    except (KeyError, TypeError):
        raise BadSource(
            f"{side.folder.path(TOTALS)}: expected the totals of a job, got a damaged file", START_OVER
        ) from None


def _write(
    dedupe: Dedupe, sides: tuple[Side, Side], sharded: ShardedJob
) -> Generator[Event, None, FilterEnd]:
    """Join the copies, and write the documents of all units to their sides."""
    scores = open_folder(sharded.directory)
    with scores.scratch() as work:
        yield Stage("joining copies")
        plan = read_plan(scores)
        units = list(_scored(plan, scores, work))
        join: Join = join_copies
        if sharded.ray is not None and sum(u.commit.scored for u in units) >= LEAST_ON_RAY:
            parts = [(u.unit.part, u.first, u.commit.scored) for u in units if u.part is not None]
            join = RayJoin(scores, parts, sharded.workers, sharded.ray)
        return (yield from _write_units(dedupe, join, sides, plan, units, work))


def _scored(plan: Plan, scores: Folder, work: Path) -> Iterator[ScoredUnit]:
    """Yield the units of the first pass, with their files on this machine; later steps read no other file of this pass.

    Raises:
        BadSource: A part has other bytes than its record says. Or a file is gone: of two runs at once into a store, the
            other run has ended, and removed the first pass.
    """
    n = 0
    for unit in plan.units:
        commit = find_commit(scores, unit)
        try:
            if commit is None:
                raise FileNotFoundError
            part = scores.fetch(unit.part, work) if commit.part else None
            errors = scores.fetch(unit.errors, work) if commit.errors else None
        except FileNotFoundError:
            raise BadSource(
                f"{scores.path(unit.commit)}: expected the unit in the first pass of this run, got none",
                "run the command again",
            ) from None
        for file, path, code in ((unit.part, part, commit.part), (unit.errors, errors, commit.errors)):
            if path is not None and sha256_of(path) != code:
                raise BadSource(
                    f"{scores.path(file)}: expected the bytes that the record of the unit names, got others",
                    f"run pofx verify {scores.name} --redo, then the command again",
                )
        yield ScoredUnit(unit, n, commit, part, errors)
        n += commit.scored


def _write_units(
    dedupe: Dedupe, join: Join, sides: tuple[Side, Side], plan: Plan, units: list[ScoredUnit], work: Path
) -> Generator[Event, None, FilterEnd]:
    n = sum(u.commit.scored for u in units)
    parts = [u.part for u in units if u.part is not None]
    files = work / "join"
    files.mkdir()
    decisions = decide(n, parts, dedupe, files, join)
    models = np.unique(decisions.copy_of[decisions.copy_of != np.arange(n)])
    plans = [(side, side.plan(plan)) for side in sides]
    yield Stage("writing")
    with ids_of(models, parts, files / "ids") as ids:
        for side, own in plans:
            _clear(side, own)
            write_plan(own, side.folder)
            commits = [write_side(u, side, own, decisions, ids) for u in units]
            write_totals(side.folder, totals_of(commits), own.fingerprint)
    return _end_of(sides)


def _clear(side: Side, plan: Plan) -> None:
    """Remove the files of a run that had other units."""
    if PLAN in side.folder.top() and read_plan(side.folder) != plan:
        remove_job(side.folder)
