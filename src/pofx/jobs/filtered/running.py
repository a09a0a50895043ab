"""The run of a filter over a corpus: units are judged, copies are joined, and documents go to one of two sides."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pofx.errors import BadSource
from pofx.files.folders.local import LocalFolder
from pofx.files.json_file import find_object
from pofx.filtering.overview import Seen
from pofx.jobs.filter_rows import REASON, FilterRows
from pofx.jobs.filtered.decisions import column, decide, ids_of
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


def run_filter(job: Job, sharded: ShardedJob, kept: Path, rest: Path) -> Generator[Event, None, FilterEnd]:
    """Filter a corpus: each document lands in exactly one of two directories.

    The units are judged as the units of any job are, in a hidden directory of `kept`. Copies are then joined over all units,
    and the units are written to the two sides. A run that was stopped is continued. The bytes of both sides depend on the
    plan alone.

    Args:
        job: The job of the first pass, whose query is a `FilterRows` and whose output is `kept / SCORES`.
        sharded: How the units are judged; its directory is that of the job.
        kept: The directory of documents that are kept.
        rest: The directory of all others.

    Yields:
        The events of the first pass, then a `Stage` for each later stage.

    Returns:
        The totals of both sides and the reasons, or the units that failed.

    Raises:
        BadSource: A directory holds other files, is in use, or is of another run; or a file of the input was edited.
        TooManyErrors: More rows have no judgement than `sharded` allows.

    Right: two directories of their own. Wrong: `rest` inside `kept`.
    """
    assert isinstance(job.rows, FilterRows)  # noqa: S101  (ours: the caller makes the job for this run)
    sides = (Side("kept", LocalFolder(kept)), Side("rest", LocalFolder(rest)))
    with ExitStack() as stack:
        for side in sides:
            stack.callback(_leave_no_empty, side.folder.directory, side.folder.directory.exists())
            _prepare(side, sharded.fresh)
            stack.enter_context(side.folder.lock())
        out = _finished(job, sides)
        if out is None:
            ended = yield from run_sharded(job, sharded)
            if ended.failed:
                return FilterEnd(None, None, (), ended.failed)
            out = yield from _write(job, sides, LocalFolder(Path(sharded.directory)))
        for side in sides:
            side.folder.local(".lock").unlink(missing_ok=True)
        shutil.rmtree(sharded.directory, ignore_errors=True)
    return out


def _leave_no_empty(directory: Path, was_there: bool) -> None:
    """Remove a directory that this run made, if nothing lies in it: what is refused leaves nothing."""
    if not was_there and directory.is_dir() and {p.name for p in directory.iterdir()} <= {".lock"}:
        shutil.rmtree(directory, ignore_errors=True)


def _prepare(side: Side, fresh: bool) -> None:
    """Make the directory of a side, or refuse one that holds other files."""
    directory, plan = side.folder.directory, side.folder.local(PLAN)
    if directory.exists() and not directory.is_dir():
        raise BadSource(f"{directory}: expected a directory, got a file", "name another directory")
    directory.mkdir(parents=True, exist_ok=True)
    if fresh and plan.exists():
        remove_job(side.folder)
    others = side.folder.top()
    if others and not plan.exists():
        raise BadSource(
            f"{directory}: expected a new or empty directory, got one with {others[0]!r} in it",
            "name another directory",
        )


def _finished(job: Job, sides: tuple[Side, Side]) -> FilterEnd | None:
    """Return the totals of a run that has ended; None where there is work left.

    Raises:
        BadSource: A directory is of another filter or of other settings, or a file of the input was edited.
    """
    for side in sides:
        if not side.folder.local(PLAN).exists():
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
    if not all(side.folder.local(TOTALS).exists() for side in sides):
        return None
    return _end_of(sides)


def _end_of(sides: tuple[Side, Side]) -> FilterEnd:
    kept, rest = (_read_totals(side) for side in sides)
    reasons: Counter[str] = Counter()
    for found in column(_parts(sides[1]), REASON.name):
        reasons.update(found)
    return FilterEnd(kept, rest, tuple(sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))))


def judged_documents(kept: Path, rest: Path) -> Iterator[Seen]:
    """Yield the documents of both sides of a run that has ended, the kept ones first, in constant memory.

    Args:
        kept: The directory of documents that are kept.
        rest: The directory of all others.

    Yields:
        The documents, in the order of the parts.
    """
    names = ("id", "text", "language", "bits_per_byte", REASON.name)
    for side in (Side("kept", LocalFolder(kept)), Side("rest", LocalFolder(rest))):
        parts = _parts(side)
        for rows in zip(*(column(parts, n) for n in names)):
            for id, text, language, bits, why in zip(*rows):
                yield Seen(id, text, language, math.nan if bits is None else bits, why)


def _parts(side: Side) -> list[Path]:
    return sorted(side.folder.local("parts").glob("part-*.parquet"))


def _read_totals(side: Side) -> Totals:
    record = find_object(side.folder.local(TOTALS), _MOST, infinite=True) or {}
    try:
        return Totals(**{name: record[name] for name in Totals.__dataclass_fields__})
    except (KeyError, TypeError):
        raise BadSource(
            f"{side.folder.path(TOTALS)}: expected the totals of a job, got a damaged file", START_OVER
        ) from None


def _write(job: Job, sides: tuple[Side, Side], scores: LocalFolder) -> Generator[Event, None, FilterEnd]:
    """Join the copies, and write the documents of all units to their sides."""
    rows = job.rows
    assert isinstance(rows, FilterRows)  # noqa: S101  (ours: as above)
    plan = read_plan(scores)
    units: list[ScoredUnit] = []
    n = 0
    for unit in plan.units:
        commit = find_commit(scores, unit)
        assert commit is not None  # noqa: S101  (ours: the first pass has ended)
        units.append(ScoredUnit(unit, n, commit, scores))
        n += commit.scored
    parts = [scores.local(u.unit.part) for u in units if u.commit.part]
    work = scores.directory / ".join"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    yield Stage("joining copies")
    decisions = decide(n, parts, rows.dedupe, work)
    models = np.unique(decisions.copy_of[decisions.copy_of != np.arange(n)])
    plans = [(side, side.plan(plan)) for side in sides]
    yield Stage("writing")
    with ids_of(models, parts, work / "ids") as ids:
        for side, own in plans:
            _clear(side, own)
            write_plan(own, side.folder)
            commits = [write_side(u, side, own, decisions, ids) for u in units]
            write_totals(side.folder, totals_of(commits), own.fingerprint)
    return _end_of(sides)


def _clear(side: Side, plan: Plan) -> None:
    """Remove what a killed run left, and the files of a run that had other units."""
    for leftover in side.folder.directory.glob(".unit-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    if side.folder.local(PLAN).exists() and read_plan(side.folder) != plan:
        remove_job(side.folder)
