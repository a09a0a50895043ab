"""The run of a sharded job: the plan is made or taken up, workers do the units that have no record, totals are written."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass

from pofx.errors import Advice, BadSource, PofxError
from pofx.files.folders.folder import Folder
from pofx.files.folders.opening import open_folder
from pofx.jobs.job import Job
from pofx.jobs.sharded.commit import Commit, find_commits
from pofx.jobs.sharded.on_ray.pool import do_on_ray
from pofx.jobs.sharded.plan import Plan, check_settings, make_plan, read_plan, write_plan
from pofx.jobs.sharded.totals import Totals, totals_of, write_totals
from pofx.jobs.sharded.unit import PLAN, TOTALS, Unit
from pofx.jobs.sharded.workers import Outcome, UnitFailed, do_here, do_in_processes

# A share of bad rows is judged from so many rows on: one bad row among the first ten says nothing.
JUDGED = 1000
_FOLDERS = ("parts", "errors", "commits")
_OURS = (PLAN, TOTALS, *_FOLDERS)


@dataclass(frozen=True)
class ShardedJob:
    """A job whose output is a directory, and how its units are done.

    Attributes:
        make: A function that makes the job, model included. Workers call the function in their own process, so `pickle` must
            accept it.
        directory: The output directory, or the URL of a prefix of a store.
        workers: How many processes do the units; 1 is this process. On Ray alone, None is one actor on each CPU.
        unit_bytes: A function that returns the size of a unit, bytes. A run that continues another run does not call it.
        max_error_rate: The largest share of rows without a score; above it the job ends, and keeps what is done.
        fresh: Whether the files of an earlier run in the directory are removed first.
        ray: The address of the Ray cluster whose actors do the units; "local" for a Ray on this machine, None for no Ray.
    """

    make: Callable[[], Job]
    directory: str | os.PathLike[str]
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
        alone: Whether no second run of the job can do harm. False for a store without put-if-absent, where the last of two
            runs at once would replace files of the first.
    """

    units: int
    bytes: int
    done: int
    done_bytes: int
    alone: bool = True


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
    folder = open_folder(sharded.directory)
    if not job.resumable:
        raise BadSource(
            f"{folder.name}: expected files as the input of a directory of parts, got standard input or a pipe",
            "save the input to a file, and name that file",
        )
    with folder.held() as alone:
        plan = _plan(sharded, job, folder)
        commits = _commits(plan, folder)
        left = [u for u in plan.units if u.number not in commits]
        done_bytes = sum(plan.units[n].bytes for n in commits)
        yield ShardsStart(len(plan.units), sum(u.bytes for u in plan.units), len(commits), done_bytes, alone)
        failed: list[UnitFailed] = []
        # Added up as units end: a sum over all records after each of 17,000 units would be 144 million additions.
        rows, scored = sum(c.rows for c in commits.values()), sum(c.scored for c in commits.values())
        for outcome in _outcomes(sharded, job, plan, left, folder):
            if isinstance(outcome, UnitFailed):
                failed.append(outcome)
                yield outcome
                continue
            commits[outcome.unit] = outcome
            rows, scored = rows + outcome.rows, scored + outcome.scored
            yield UnitDone(plan.units[outcome.unit], outcome)
            _check_errors(rows, scored, sharded, folder)
        totals = totals_of([commits[n] for n in sorted(commits)])
        _check_errors(totals.rows, totals.scored, sharded, folder, least=1)
        if not failed:
            write_totals(folder, totals, plan.fingerprint)
            folder.tidy()
    return ShardsEnd(totals, tuple(failed))


def _plan(sharded: ShardedJob, job: Job, folder: Folder) -> Plan:
    """Make the plan, or take up that of an earlier run."""
    top = folder.top()
    if sharded.fresh and PLAN in top:  # without a plan, folders of these names are not of a job
        remove_job(folder)
        top = []
    if PLAN not in top:
        if top:
            raise BadSource(
                f"{folder.name}: expected a new or empty directory, got one with {top[0]!r} in it",
                "name another directory",
            )
        made = make_plan(job, sharded.unit_bytes())
        plan = write_plan(made, folder)
        if plan is made:
            return plan
    else:
        plan = read_plan(folder)
    check_settings(plan, job)
    for unit in {u.path: u for u in plan.units}.values():
        unit.check_input()
    return plan


def remove_job(folder: Folder) -> None:
    """Remove the files of an earlier run, where a folder holds nothing else; the plan last, by which a job is known.

    Args:
        folder: The output folder.

    Raises:
        BadSource: The folder holds a file that is not of a job.
    """
    other = next((name for name in folder.top() if name not in _OURS), None)
    if other is not None:
        raise BadSource(
            f"{folder.name}: expected a directory with nothing but the files of a job, got one with {other!r} in it",
            ["move that file away", "name another directory"],
        )
    folder.remove(TOTALS, *reversed(_FOLDERS), PLAN)


def _commits(plan: Plan, folder: Folder) -> dict[int, Commit]:
    """Read the records of an earlier run."""
    commits = find_commits(folder, plan.units)
    foreign = next((n for n, c in commits.items() if (c.unit, c.fingerprint) != (n, plan.fingerprint)), None)
    if foreign is not None:
        raise BadSource(
            f"{folder.path(plan.units[foreign].commit)}: expected the record of this job, got that of another",
            Advice("remove it, and run the job again"),
        )
    return commits


def _outcomes(
    sharded: ShardedJob, job: Job, plan: Plan, left: Sequence[Unit], folder: Folder
) -> Iterable[Outcome]:
    if sharded.ray is not None:
        return do_on_ray(sharded.make, left, folder, sharded.workers, sharded.ray)
    workers = min(sharded.workers or 1, len(left))
    if workers <= 1:
        return do_here(job, plan, left, folder)
    return do_in_processes(sharded.make, left, folder, workers)


def _check_errors(rows: int, scored: int, sharded: ShardedJob, folder: Folder, least: int = JUDGED) -> None:
    bad = rows - scored
    if rows >= least and bad > sharded.max_error_rate * rows:
        raise TooManyErrors(
            f"{folder.name}: expected at most {sharded.max_error_rate:.2%} of the rows without a score, got "
            f"{bad:,} of {rows:,}; the units that are done are kept",
            [
                f"read the reasons in {folder.path('errors')}",
                Advice("raise the limit", "max_error_rate=…", "--max-error-rate"),
            ],
        )
