"""The units of a job on actors of Ray: the loss of an actor or of a node costs time alone."""

from __future__ import annotations

import io
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from pofx.errors import BadSource
from pofx.files.folders.folder import Folder
from pofx.jobs.job import Job
from pofx.jobs.sharded.on_ray.worker import ATTEMPTS, UnitWorker
from pofx.jobs.sharded.sizing import SECONDS
from pofx.jobs.sharded.unit import Unit
from pofx.jobs.sharded.workers import Outcome
from pofx.ray_session import LOCAL, ray_session

# A unit is late when it has lasted so many times as long as the longest unit that is done. An idle worker then does the late
# unit as well.
LATE = 2.0
# No unit is late before so many seconds. Until a unit is done, the length that units are cut to stands for the longest unit.
PATIENCE = 10.0
_LOOK = 1.0
# Variables that a worker reads; keys stay with the driver, since Ray keeps the arguments of actors.
_PASSED = ("POFX_CACHE", "POFX_CACHE_LIMIT", "POFX_DATA", "POFX_MODEL")


@dataclass(frozen=True)
class _Call:
    """A call of a worker that has not returned: the worker, the unit (None while it loads the model), and since when."""

    worker: Any
    unit: Unit | None
    since: float


# Actors of Ray core do the units, not a map over a Ray Dataset. Ray repeats a lost call on the same actor, for ever. A
# Dataset of 12 rows on two actors (Ray 2.60) stood still after 40 s: at 10 rows where one row kills its actor, which had
# died 10 times, and at 9 where one actor is stopped. Here a unit is given up after `DEATHS` deaths, and an idle actor takes
# a late unit over, such as that of a lost node whose actor finds no other free CPU.
def do_on_ray(
    make_job: Callable[[], Job], units: Sequence[Unit], folder: Folder, workers: int | None, address: str
) -> Iterator[Outcome]:
    """Do the units on actors of Ray, in any order.

    Args:
        make_job: Makes the job in a worker, model included; a value that can be pickled.
        units: The units.
        folder: The output folder, which holds the plan; all nodes reach it under this name.
        workers: How many actors do the units, each with a CPU. None is one actor on each CPU of a cluster, and one actor in
            all on this machine.
        address: The address of the cluster; "local" for a Ray on this machine.

    Yields:
        The commit record of each unit, or a `UnitFailed`, as soon as the unit ends.

    Raises:
        BadSource: There is no such cluster, or the settings of a node are not those of the plan.
        MissingExtra: Ray is missing.
        OSError: The folder cannot be written.
    """
    if not units:
        return
    folder.remove(ATTEMPTS)
    try:
        with ExitStack() as ended, ray_session(address, workers or 1) as ray:
            count = min(len(units), workers or int(ray.cluster_resources().get("CPU", 1)))
            made = _actors(ray, make_job, folder.name, count)
            try:
                yield from _outcomes(ray, made, units)
            except ray.exceptions.RayError as e:
                said = (str(e).strip().splitlines() or [type(e).__name__])[-1]
                where = "this machine" if address == LOCAL else address
                raise BadSource(
                    f"{where}: expected a Ray whose workers can do the units, got {type(e).__name__}: {said:.200}",
                    "check that each node has this version of pofx and sees the input, the model and the output",
                ) from e
            finally:
                # Ray prints of each call that ends with its actor that the call will be repeated, whatever `log_to_driver`
                # says. So nothing is printed between these deaths and the end of the session.
                ended.enter_context(redirect_stdout(io.StringIO()))
                for actor in made:
                    ray.kill(actor, no_restart=True)
    finally:
        folder.remove(ATTEMPTS)


def _actors(ray: ModuleType, make_job: Callable[[], Job], directory: str, count: int) -> list[Any]:
    """Start `count` actors of `UnitWorker`, which Ray starts again after each death."""
    variables = {name: os.environ[name] for name in _PASSED if name in os.environ}
    kind = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=-1)(UnitWorker)
    return [kind.remote(str(k), make_job, directory, os.getcwd(), variables) for k in range(count)]


def _outcomes(ray: ModuleType, actors: Sequence[Any], units: Sequence[Unit]) -> Iterator[Outcome]:
    """Give units to the actors that have loaded the model, and late units to idle actors."""
    waiting, idle = deque(units), list[Any]()
    calls = {actor.begin.remote(): _Call(actor, None, time.monotonic()) for actor in actors}
    left = {u.number for u in units}
    longest = SECONDS

    while left:
        done, _ = ray.wait(list(calls), timeout=_LOOK if idle else None)
        for reference in done:
            call, found = calls.pop(reference), ray.get(reference)
            if isinstance(found, Exception):
                raise found
            idle.append(call.worker)
            if call.unit is not None and call.unit.number in left:
                took = time.monotonic() - call.since
                longest = took if len(left) == len(units) else max(longest, took)
                left.remove(call.unit.number)
                yield found
        while idle and (unit := waiting.popleft() if waiting else _late(calls.values(), left, longest)):
            worker = idle.pop()
            calls[worker.do.remote(unit)] = _Call(worker, unit, time.monotonic())


def _late(calls: Any, left: set[int], longest: float) -> Unit | None:
    """Return the unit that has been in work for the longest time, if it is late; a unit that two actors have is passed over.

    Args:
        calls: The calls that have not returned.
        left: The numbers of the units that are not done.
        longest: The duration of the longest unit that is done, seconds.
    """
    having: dict[int, list[_Call]] = {}
    for call in calls:
        if call.unit is not None and call.unit.number in left:
            having.setdefault(call.unit.number, []).append(call)
    alone = [c[0] for c in having.values() if len(c) == 1]
    oldest = min(alone, key=lambda c: c.since, default=None)
    if oldest is None or time.monotonic() - oldest.since < max(PATIENCE, LATE * longest):
        return None
    return oldest.unit
