"""The other processes of a fit on this machine, which this process starts and ends."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pofx.arithmetic import one_thread
from pofx.errors import BadValue, require

require("torch", "torch", "fitting a transformer")

from pofx.models.transformer.workers.crew import LAST_WORDS, Crew, dist, join, meet, no_answer
from pofx.models.transformer.workers.group import Group

_HELPER = "from pofx.models.transformer.workers.helper import main; main()"


@dataclass(frozen=True)
class _Helper:
    """A process that this process started.

    Attributes:
        rank: The number of the process.
        process: The process.
        errors: The file of its standard error, which has no name.
    """

    rank: int
    process: subprocess.Popen[bytes]
    errors: IO[bytes]

    def describe(self, size: int) -> str:
        """Return how the process ended."""
        who, code = f"worker {self.rank + 1} of {size} (process {self.process.pid})", self.process.returncode
        if code < 0:
            return f"{who}, which {signal.Signals(-code).name} ended"
        self.errors.seek(0)
        said = self.errors.read().decode("utf-8", "replace").split("\n")
        last = next((line.strip() for line in reversed(said) if line.strip()), "no message")
        return f"{who}, which ended with exit code {code} ({last:.200})"


@contextmanager
def local_crew(workers: int) -> Iterator[Crew]:
    """Start the other processes of a fit on this machine, with one thread each, and end them with this context.

    The processes listen on loopback alone.

    Args:
        workers: How many processes take part, this process included.

    Yields:
        The group.

    Raises:
        BadValue: A process ended before all had met.
    """
    with ExitStack() as ended, one_thread():
        # A directory of this user alone. Nothing needs it once all processes have met, so a death later leaves nothing.
        directory = Path(tempfile.mkdtemp(prefix="pofx-fit-"))
        ended.callback(shutil.rmtree, directory, ignore_errors=True)
        helpers: list[_Helper] = []
        ended.callback(_end, helpers)
        for rank in range(1, workers):
            errors = ended.enter_context(tempfile.TemporaryFile())
            helpers.append(_Helper(rank, _start(rank, workers, directory, errors), errors))
        _await_ready(helpers)
        group = meet(
            lambda: join_local(0, workers, directory),
            workers,
            lambda: any(h.process.poll() is not None for h in helpers),
            lambda cause: _describe_loss(helpers, cause),
        )
        shutil.rmtree(directory, ignore_errors=True)
        yield Crew(group, lambda cause: _describe_loss(helpers, cause))
        with suppress(subprocess.TimeoutExpired):
            for helper in helpers:
                helper.process.wait(LAST_WORDS)


def join_local(rank: int, size: int, directory: Path) -> Group:
    """Join the processes on this machine that share `directory`, over 127.0.0.1.

    Args:
        rank: The number of this process, from 0.
        size: The number of processes.
        directory: The directory in which the processes find each other.
    """
    return join(dist.FileStore(str(directory / "store"), size), rank, size, "127.0.0.1")


def _start(rank: int, size: int, directory: Path, errors: IO[bytes]) -> subprocess.Popen[bytes]:
    # A process of its own, and not `multiprocessing`, which would run a script without a __main__ guard again.
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "OMP_NUM_THREADS": "1",
        "TORCH_CPP_LOG_LEVEL": "ERROR",
    }
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _HELPER, str(rank), str(size), str(directory)],
        stdin=subprocess.PIPE,  # its end tells the helper that this process is gone
        stdout=subprocess.PIPE,
        stderr=errors,
        env=environment,
    )


def _await_ready(helpers: Sequence[_Helper]) -> None:
    for helper in helpers:
        assert helper.process.stdout is not None  # noqa: S101  (ours: started with a pipe)
        if not helper.process.stdout.readline():
            helper.process.wait()
            raise BadValue(
                f"expected {len(helpers) + 1} processes, got {_describe_loss(helpers, '')}",
                "take fewer workers",
                argument="workers",
            )


def _describe_loss(helpers: Sequence[_Helper], cause: str) -> str:
    until = time.monotonic() + LAST_WORDS / 2
    while all(h.process.poll() is None for h in helpers) and time.monotonic() < until:
        time.sleep(0.05)
    lost = next((h for h in helpers if h.process.returncode), None)
    return no_answer(cause) if lost is None else lost.describe(len(helpers) + 1)


def _end(helpers: Sequence[_Helper]) -> None:
    for helper in helpers:
        helper.process.kill()
    for helper in helpers:
        helper.process.wait()
        for pipe in (helper.process.stdin, helper.process.stdout):
            if pipe is not None:
                pipe.close()
