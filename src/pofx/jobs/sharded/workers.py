"""Workers of a sharded job: this process, or processes that each load the model; the death of a worker costs its unit."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass

from pofx.errors import PofxError
from pofx.files.folders.folder import Folder
from pofx.files.folders.opening import open_folder
from pofx.jobs.job import Job
from pofx.jobs.sharded.commit import Commit
from pofx.jobs.sharded.nursery import worker_context
from pofx.jobs.sharded.part import do_unit
from pofx.jobs.sharded.plan import Plan, check_settings, read_plan
from pofx.jobs.sharded.unit import Unit

# Units that the pool holds for each worker, the unit in work included: enough that no worker waits for the driver.
_AHEAD = 2
# A unit in which a worker died so often, the last time with no other unit in work, is given up: a document kills the worker.
_DEATHS = 2


@dataclass(frozen=True)
class UnitFailed:
    """A unit that no worker could do.

    Attributes:
        unit: The unit.
        error: The reason in one line, as the command line shows it.
    """

    unit: Unit
    error: str


Outcome = Commit | UnitFailed


def do_here(job: Job, plan: Plan, units: Iterable[Unit], folder: Folder) -> Iterator[Outcome]:
    """Do the units in this process, one after the other.

    Args:
        job: The job, with its model.
        plan: The plan that the units are of.
        units: The units.
        folder: The output folder.

    Yields:
        The commit record of each unit, or a `UnitFailed` for a unit that a `PofxError` stopped.

    Raises:
        OSError: The folder cannot be written.
    """
    for unit in units:
        try:
            yield do_unit(job, plan, unit, folder)
        except PofxError as e:
            yield UnitFailed(unit, job.spell(e))


def do_in_processes(
    make_job: Callable[[], Job], units: Sequence[Unit], folder: Folder, workers: int
) -> Iterator[Outcome]:
    """Do the units in other processes, in any order.

    Args:
        make_job: Makes the job in a worker, model included; a value that can be pickled.
        units: The units.
        folder: The output folder, which holds the plan.
        workers: How many processes.

    Yields:
        The commit record of each unit, or a `UnitFailed`, as soon as the unit ends.

    Raises:
        OSError: The folder cannot be written.

    Right: `make_job` is a `JobRecipe`. Wrong: `make_job` is a lambda, which no process can be sent.
    """
    waiting = deque((unit, 0) for unit in units)
    suspects: deque[tuple[Unit, int]] = deque()
    while waiting or suspects:
        alone = not waiting
        queue = suspects if alone else waiting
        lost = yield from _with_pool(make_job, queue, folder, 1 if alone else workers, alone)
        for unit, deaths in lost:
            if deaths >= _DEATHS:
                yield UnitFailed(
                    unit, f"the worker died {deaths} times in this unit; a lack of memory is the usual cause"
                )
            else:
                suspects.append((unit, deaths))


def _with_pool(
    make_job: Callable[[], Job], queue: deque[tuple[Unit, int]], folder: Folder, workers: int, alone: bool
) -> Generator[Outcome, None, list[tuple[Unit, int]]]:
    """Do units until the queue is empty or a worker dies; return the units that were in work at the death."""
    context = worker_context(type(make_job).__module__)
    pool = ProcessPoolExecutor(workers, context, _begin, (make_job, folder.name, dict(os.environ)))
    running: dict[Future[Outcome], tuple[Unit, int]] = {}
    lost: list[tuple[Unit, int]] = []
    try:
        while (queue and not lost) or running:
            while queue and not lost and len(running) < (1 if alone else _AHEAD * workers):
                unit, deaths = queue.popleft()
                try:
                    running[pool.submit(_do, unit)] = unit, deaths
                except BrokenProcessPool:
                    lost.append((unit, deaths))
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                unit, deaths = running.pop(future)
                try:
                    yield future.result()
                except BrokenProcessPool:
                    lost.append((unit, deaths + 1))
    except BaseException:
        for process in list((pool._processes or {}).values()):  # no public name before Python 3.14
            with suppress(OSError):
                process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return lost


_job: Job
_plan: Plan
_folder: Folder


def _begin(make_job: Callable[[], Job], directory: str, variables: Mapping[str, str]) -> None:
    """Load the model in a new worker; the variables are those of the driver now."""
    os.environ.clear()
    os.environ.update(variables)
    global _job, _plan, _folder
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the driver, which ends its workers
    _folder = open_folder(directory)
    _job, _plan = make_job(), read_plan(_folder)
    check_settings(_plan, _job)


def _do(unit: Unit) -> Outcome:
    return next(do_here(_job, _plan, [unit], _folder))
