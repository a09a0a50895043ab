"""A worker of a cluster: the worker does units, and gives up a unit in which it has died three times."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from pofx.errors import PofxError
from pofx.files.folders.opening import open_folder
from pofx.jobs.job import Job
from pofx.jobs.sharded.plan import Plan, check_settings, read_plan
from pofx.jobs.sharded.unit import Unit
from pofx.jobs.sharded.workers import Outcome, UnitFailed, do_here

# One death more than among processes of one machine, since the loss of a node is a death that no document caused.
DEATHS = 3
# Marks: a byte for each time that a worker began a unit and did not end it.
ATTEMPTS = ".unit-attempts"


class UnitWorker:
    """Does units in a process that Ray starts again after its death, with the same arguments.

    Ray then repeats the call that the process died in. A mark in the output folder tells the new process about the earlier
    deaths.

    Args:
        name: The name of the worker, which no other worker of the run has.
        make_job: Makes the job, model included.
        directory: The name of the output folder, which holds the plan and is reached by all nodes.
        cwd: The directory that relative names start from.
        variables: Variables of the driver that pofx reads.
    """

    def __init__(
        self, name: str, make_job: Callable[[], Job], directory: str, cwd: str, variables: Mapping[str, str]
    ) -> None:
        self._name, self._make_job, self._directory = name, make_job, directory
        self._cwd, self._variables = cwd, variables
        self._ready: tuple[Job, Plan] | None = None

    def begin(self) -> Exception | None:
        """Load the model.

        Returns:
            The error that keeps this worker from the plan; None for a worker that can do units.
        """
        try:
            self._load()
        except (PofxError, OSError) as e:
            return e
        return None

    def do(self, unit: Unit) -> Outcome | Exception:
        """Do a unit.

        Args:
            unit: The unit.

        Returns:
            The commit record of the unit, a `UnitFailed`, or the error that ends the run.
        """
        try:
            job, plan = self._load()
            folder = open_folder(self._directory)
            mark = f"{ATTEMPTS}/{unit.name}-{self._name}"
            deaths = len(folder.find(mark) or b"")
            if deaths >= DEATHS:
                return UnitFailed(
                    unit, f"the worker died {deaths} times in this unit; a lack of memory is the usual cause"
                )
            folder.replace(mark, b"." * (deaths + 1))
            outcome = next(do_here(job, plan, [unit], folder))
            folder.remove(mark)
        except (PofxError, OSError) as e:
            return e
        return outcome

    def _load(self) -> tuple[Job, Plan]:
        """Return the job and the plan, loaded at the first call and after a death."""
        if self._ready is None:
            os.environ.update(self._variables)
            os.chdir(self._cwd)
            job, plan = self._make_job(), read_plan(open_folder(self._directory))
            check_settings(plan, job)
            self._ready = job, plan
        return self._ready
