"""The run of a sharded job: the plan is made or taken up, workers do the units that have no record, totals are written."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pofx.errors import Advice, BadSource, PofxError
from pofx.files.locks import open_locked
from pofx.jobs.job import Job
from pofx.jobs.sharded.commit import Commit, find_commit
from pofx.jobs.sharded.on_ray.pool import do_on_ray
from pofx.jobs.sharded.plan import Plan, check_settings, make_plan, read_plan, write_plan
from pofx.jobs.sharded.totals import Totals, totals_of, write_totals
from pofx.jobs.sharded.unit import Places, Unit
from pofx.jobs.sharded.workers import Outcome, UnitFailed, do_here, do_in_processes

# A share of bad rows is judged from so many rows on: one bad row among the first ten says nothing.
JUDGED = 1000
_FOLDERS = ("parts", "errors", "commits")
_OURS = ("plan.parquet", "totals.json", *_FOLDERS)


@dataclass(frozen=True)
class ShardedJob:
    """A job whose output is a directory, and how its units are done.

    Attributes:
        make: A function that makes the job, model included. Workers call the function in their own process, so `pickle` must
            accept it.
        directory: The output directory.
        workers: How many processes do the units; 1 is this process. On Ray alone, None is one actor on each CPU.
        unit_bytes: A function that returns the size of a unit, bytes. A run that continues another run does not call it.
        max_error_rate: The largest share of rows without a score; above it the job ends, and keeps what is done.
        fresh: Whether the files of an earlier run in the directory are removed first.
        ray: The address of the Ray cluster whose actors do the units; "local" for a Ray on this machine, None for no Ray.
    """

    make: Callable[[], Job]
    directory: Path
    workers: int | None
    unit_bytes: Callable[[], int]
    max_error_rate: float = 0.001
    fresh: bool = False
    ray: str | None = None


@dataclass(frozen=True)
class ShardsStart:
    """The plan is written.

    Attributes:
        units: All units.
        bytes: The bytes of all units.
        done: How many units an earlier run has done.
        done_bytes: The bytes of these units.
    """

    units: int
    bytes: int
    done: int
    done_bytes: int


@dataclass(frozen=True)
class UnitDone:
    """A unit is done.

    Attributes:
        unit: The unit.
        commit: Its record.
    """

    unit: Unit
    commit: Commit


@dataclass(frozen=True)
class ShardsEnd:
    """No unit is left to do.

    Attributes:
        totals: The sums over the units that are done.
        failed: The units that no worker could do.
    """

    totals: Totals
    failed: tuple[UnitFailed, ...]


class TooManyErrors(PofxError):
    """More rows than allowed have no score; the units that are done are kept.

    Right: read the reasons in the folder `errors`, then run the job again with a larger `max_error_rate`. Wrong: remove the
    directory, which holds the units that are done.
    """

    code = "too-many-errors"


def run_sharded(
    job: Job, sharded: ShardedJob
) -> Generator[ShardsStart | UnitDone | UnitFailed, None, ShardsEnd]:
    """Run a job whose output is a directory of parts; a run that was stopped is continued.

    Args:
        job: The job, with its model.
        sharded: How the units are done.

    Yields:
        A `ShardsStart`, and then a `UnitDone` or a `UnitFailed` as soon as a unit ends.

    Returns:
        The end of the run, which a caller finds in `StopIteration.value`.

    Raises:
        BadSource: The directory belongs to another job, another process runs this one, or the input can be read only once.
        TooManyErrors: More than `max_error_rate` of at least `JUDGED` rows have no score.
        BadValue: Two columns would have the same name.
        OSError: The directory cannot be written.

    Right: `for event in run_sharded(job, sharded): …`. Wrong: `run_sharded(job, sharded)` alone, which runs nothing.
    """
    places = Places(sharded.directory)
    if sharded.directory.exists() and not sharded.directory.is_dir():
        raise BadSource(f"{sharded.directory}: expected a directory, got a file", "name another directory")
    if not job.resumable:
        raise BadSource(
            f"{sharded.directory}: expected files as the input of a directory of parts, got standard input or a pipe",
            "save the input to a file, and name that file",
        )
    made = not sharded.directory.exists()
    sharded.directory.mkdir(parents=True, exist_ok=True)
    with lock_directory(sharded.directory):
        try:
            plan = _plan(sharded, job, places)
        except BaseException:
            if made and not places.plan.exists():  # what is refused leaves nothing
                shutil.rmtree(sharded.directory, ignore_errors=True)
            raise
        commits = _commits(plan, places)
        left = [u for u in plan.units if u.number not in commits]
        done_bytes = sum(plan.units[n].bytes for n in commits)
        yield ShardsStart(len(plan.units), sum(u.bytes for u in plan.units), len(commits), done_bytes)
        failed: list[UnitFailed] = []
        # Added up as units end: a sum over all records after each of 17,000 units would be 144 million additions.
        rows, scored = sum(c.rows for c in commits.values()), sum(c.scored for c in commits.values())
        for outcome in _outcomes(sharded, job, plan, left, places):
            if isinstance(outcome, UnitFailed):
                failed.append(outcome)
                yield outcome
                continue
            commits[outcome.unit] = outcome
            rows, scored = rows + outcome.rows, scored + outcome.scored
            yield UnitDone(plan.units[outcome.unit], outcome)
            _check_errors(rows, scored, sharded)
        totals = totals_of([commits[n] for n in sorted(commits)])
        _check_errors(totals.rows, totals.scored, sharded, least=1)
        if not failed:
            write_totals(places.totals, totals, plan.fingerprint)
            _tidy(sharded.directory)
    return ShardsEnd(totals, tuple(failed))


def lock_directory(directory: Path) -> IO[bytes]:
    """Return the lock of an output directory, which closing releases.

    Raises:
        BadSource: Another run has the lock.
    """
    try:
        return open_locked(directory / ".lock")
    except BlockingIOError:
        raise BadSource(
            f"{directory}: expected a directory that no other run writes to, got one in use",
            "wait for the other run, or name another directory",
        ) from None


def _plan(sharded: ShardedJob, job: Job, places: Places) -> Plan:
    """Make the plan, or take up that of an earlier run."""
    if sharded.fresh and places.plan.exists():  # without a plan, folders of these names are not of a job
        remove_job(sharded.directory, places)
    if not places.plan.exists():
        others = [p.name for p in sharded.directory.iterdir() if not p.name.startswith(".")]
        if others:
            raise BadSource(
                f"{sharded.directory}: expected a new or empty directory, got one with {sorted(others)[0]!r} in it",
                "name another directory",
            )
        plan = make_plan(job, sharded.unit_bytes())
        write_plan(plan, sharded.directory)
        return plan
    plan = read_plan(sharded.directory)
    check_settings(plan, job)
    for unit in {u.path: u for u in plan.units}.values():
        unit.check_input()
    return plan


def remove_job(directory: Path, places: Places) -> None:
    """Remove the files of an earlier run, where a directory holds nothing else.

    Args:
        directory: The output directory.
        places: Its files.

    Raises:
        BadSource: The directory holds a file that is not of a job.
    """
    other = next(
        (p.name for p in directory.iterdir() if p.name not in _OURS and not p.name.startswith(".")), None
    )
    if other is not None:
        raise BadSource(
            f"{directory}: expected a directory with nothing but the files of a job, got one with {other!r} in it",
            ["move that file away", "name another directory"],
        )
    for path in (places.plan, places.totals):
        path.unlink(missing_ok=True)
    for name in _FOLDERS:
        shutil.rmtree(directory / name, ignore_errors=True)


def _commits(plan: Plan, places: Places) -> dict[int, Commit]:
    """Read the records of an earlier run."""
    found = {u.number: find_commit(places.commit(u)) for u in plan.units}
    commits = {n: c for n, c in found.items() if c is not None}
    foreign = next((n for n, c in commits.items() if (c.unit, c.fingerprint) != (n, plan.fingerprint)), None)
    if foreign is not None:
        raise BadSource(
            f"{places.commit(plan.units[foreign])}: expected the record of this job, got that of another",
            Advice("remove it, and run the job again"),
        )
    return commits


def _outcomes(
    sharded: ShardedJob, job: Job, plan: Plan, left: Sequence[Unit], places: Places
) -> Iterable[Outcome]:
    if sharded.ray is not None:
        return do_on_ray(sharded.make, left, places, sharded.workers, sharded.ray)
    workers = min(sharded.workers or 1, len(left))
    if workers <= 1:
        return do_here(job, plan, left, places)
    return do_in_processes(sharded.make, left, places, workers)


def _check_errors(rows: int, scored: int, sharded: ShardedJob, least: int = JUDGED) -> None:
    bad = rows - scored
    if rows >= least and bad > sharded.max_error_rate * rows:
        raise TooManyErrors(
            f"{sharded.directory}: expected at most {sharded.max_error_rate:.2%} of the rows without a score, got "
            f"{bad:,} of {rows:,}; the units that are done are kept",
            [
                f"read the reasons in {sharded.directory / 'errors'}",
                Advice("raise the limit", "max_error_rate=…", "--max-error-rate"),
            ],
        )


def _tidy(directory: Path) -> None:
    """Remove what killed workers left, and the lock."""
    for leftover in directory.glob(".unit-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    for hidden in directory.rglob(".*.part"):
        with suppress(OSError):
            hidden.unlink()
    (directory / ".lock").unlink(missing_ok=True)
