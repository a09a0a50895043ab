"""How the processes of a fit begin and end: on this machine beside this process, or as `torchrun` started them."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from pofx.arithmetic import one_thread
from pofx.errors import BadValue, require

require("torch", "torch", "fitting a transformer")

import torch.distributed as torch_distributed

from pofx.models.torchrun import Torchrun
from pofx.models.transformer.workers.group import ALONE, Group, first_sentence

dist: Any = torch_distributed  # torch's own annotations leave out most of what it documents

# A process that does not answer for so long is lost. A step takes seconds at most, and a checkpoint some minutes.
PATIENCE = timedelta(minutes=10)
# A process that was told to end gets so many seconds before it is killed.
_LAST_WORDS = 10.0
_HELPER = "from pofx.models.transformer.workers.helper import main; main()"


@dataclass(frozen=True)
class Crew:
    """The group of a fit, and the processes that this process started for it.

    Attributes:
        group: The group.
        helpers: The other processes on this machine; empty under `torchrun`.
        directory: Where each helper writes its standard error.
    """

    group: Group
    helpers: Sequence[subprocess.Popen[bytes]] = ()
    directory: Path = Path()

    def describe_loss(self, cause: str) -> str:
        """Return which worker ended, and how, as the end of an error message.

        Args:
            cause: The message of gloo, which stands in the text where no process of this machine ended.
        """
        until = time.monotonic() + _LAST_WORDS / 2
        while self.helpers and all(p.poll() is None for p in self.helpers) and time.monotonic() < until:
            time.sleep(0.05)
        for rank, process in enumerate(self.helpers, 1):
            if process.returncode:
                return self._describe(rank, process)
        return f"no answer of another process ({cause})"

    def _describe(self, rank: int, process: subprocess.Popen[bytes]) -> str:
        who = f"worker {rank + 1} of {self.group.size} (process {process.pid})"
        if process.returncode < 0:
            return f"{who}, which {signal.Signals(-process.returncode).name} ended"
        said = _error_file(self.directory, rank).read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(said) if line.strip()), "no message")
        return f"{who}, which ended with exit code {process.returncode} ({last:.200})"


@contextmanager
def open_crew(workers: int) -> Iterator[Crew]:
    """Start the other processes of a fit, and end them with this context.

    Under `torchrun` the processes exist already. Otherwise they are started on this machine, with one thread each, and
    listen on loopback alone.

    Args:
        workers: How many processes take part, this process included.

    Yields:
        The group, and the processes that were started here.

    Raises:
        BadValue: `torchrun` started another number of processes, or a process ended before the fit began.
    """
    elsewhere = Torchrun.of()
    if elsewhere is not None and workers > 1:
        elsewhere.check(workers)
        if elsewhere.rank > 0:
            raise BadValue(
                f"expected a fit in process 0 of torchrun, got a fit in process {elsewhere.rank}",
                "start the command line by torchrun: torchrun … -m pofx fit …",
                argument="workers",
            )
        yield Crew(join_torchrun(elsewhere))
    elif workers == 1:
        yield Crew(ALONE)
    else:
        with (
            tempfile.TemporaryDirectory(prefix="pofx-fit-") as name,
            one_thread(),
        ):  # a directory of this user alone
            directory = Path(name)
            helpers: list[subprocess.Popen[bytes]] = []
            try:
                for rank in range(1, workers):
                    helpers.append(_start(rank, workers, directory))
                _await_ready(helpers, directory)
                yield Crew(join_local(0, workers, directory), helpers, directory)
                with suppress(subprocess.TimeoutExpired):
                    for helper in helpers:
                        helper.wait(_LAST_WORDS)
            finally:
                _end(helpers)


def join_torchrun(place: Torchrun) -> Group:
    """Join the group that `torchrun` started.

    Raises:
        BadValue: The other processes cannot be reached.
    """
    try:
        store, rank, size = next(iter(dist.rendezvous("env://", timeout=PATIENCE)))
        # A store outlives the processes that torchrun starts again, so each start has keys of its own.
        own = dist.PrefixStore(f"pofx-fit-{place.restarts}", store)
        gloo = dist.ProcessGroupGloo(own, rank, size, PATIENCE)
    except RuntimeError as e:
        raise BadValue(
            f"expected an answer of the other processes of torchrun, got: {first_sentence(str(e))}",
            "check the address and port of torchrun, and GLOO_SOCKET_IFNAME, the name of the network interface",
            argument="workers",
        ) from None
    return Group(gloo, place.rank, place.size)


def join_local(rank: int, size: int, directory: Path) -> Group:
    """Join the processes on this machine that share `directory`, over 127.0.0.1.

    Args:
        rank: The number of this process, from 0.
        size: The number of processes.
        directory: The directory in which the processes find each other.
    """
    options = dist.ProcessGroupGloo._Options()
    options._devices = [dist.ProcessGroupGloo.create_device(hostname="127.0.0.1")]
    options._timeout = PATIENCE
    store = dist.FileStore(str(directory / "store"), size)
    return Group(dist.ProcessGroupGloo(store, rank, size, options), rank, size)


def _error_file(directory: Path, rank: int) -> Path:
    return directory / f"worker-{rank}.txt"


def _start(rank: int, size: int, directory: Path) -> subprocess.Popen[bytes]:
    # A process of its own, and not `multiprocessing`, which would run a script without a __main__ guard again.
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "OMP_NUM_THREADS": "1",
        "TORCH_CPP_LOG_LEVEL": "ERROR",
    }
    with _error_file(directory, rank).open("wb") as errors:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", _HELPER, str(rank), str(size), str(directory)],
            stdin=subprocess.PIPE,  # its end tells the helper that this process is gone
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
        )


def _await_ready(helpers: Sequence[subprocess.Popen[bytes]], directory: Path) -> None:
    for helper in helpers:
        assert helper.stdout is not None  # noqa: S101  (ours: started with a pipe)
        if not helper.stdout.readline():
            helper.wait()
            crew = Crew(Group(None, 0, len(helpers) + 1), helpers, directory)
            raise BadValue(
                f"expected {crew.group.size} processes, got {crew.describe_loss('')}",
                "take fewer workers",
                argument="workers",
            )


def _end(helpers: Sequence[subprocess.Popen[bytes]]) -> None:
    for helper in helpers:
        helper.kill()
    for helper in helpers:
        helper.wait()
        for pipe in (helper.stdin, helper.stdout):
            if pipe is not None:
                pipe.close()
