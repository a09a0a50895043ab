"""Jobs whose workers die, stop, or lack something at a chosen moment, once; actors unpickle them."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shard_toys import Recipe

import pofx
import pofx.jobs.sharded.part as part
from pofx.jobs.job import Job
from pofx.jobs.score_rows import ScoreRows
from pofx.models.transformer.workers.on_ray import RayHelper

STRUCK = "teeth that eat"


def first(marker: Path) -> bool:
    """Whether no process has come here before."""
    try:
        marker.open("x").close()
    except FileExistsError:
        return False
    return True


def node_of_this_actor() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


@dataclass(frozen=True)
class StruckRows(ScoreRows):
    """Rows whose query strikes its own process at one text, once: a signal, or a time in which the test strikes.

    Attributes:
        marker: The file that remembers the blow, with the process and the node.
        blow: The signal; 0 for a wait of five seconds.
    """

    marker: str = ""
    blow: int = 0

    def bind(self, lm: pofx.LM) -> Any:
        query = super().bind(lm)

        def struck(texts: Sequence[Any], given: Sequence[Any]) -> Any:
            marker = Path(self.marker)
            if STRUCK in texts and first(marker):
                marker.with_suffix(".written").write_text(f"{os.getpid()} {node_of_this_actor()}")
                marker.with_suffix(".written").rename(marker)
                if self.blow:
                    os.kill(os.getpid(), self.blow)
                time.sleep(5)
            return query(texts, given)

        return struck


def struck_once(marker: Path) -> None:
    """Give a test five seconds in which it strikes the node of this process, once in all."""
    if first(marker):
        marker.with_suffix(".written").write_text(f"{os.getpid()} {node_of_this_actor()}")
        marker.with_suffix(".written").rename(marker)
        time.sleep(5)


@dataclass(frozen=True)
class StruckKeys:
    """The keys of a shuffle, on whose way the node of the first part is lost: some keys have left it by then.

    Attributes:
        keys: The keys that are read.
        marker: The file that remembers the blow.
    """

    keys: Callable[[Any], Iterator[Any]]
    marker: Path

    def __call__(self, items: Any) -> Iterator[Any]:
        for k, table in enumerate(self.keys(items)):
            if k == 1:
                struck_once(self.marker)
            yield table


@dataclass(frozen=True)
class Spoiled(Recipe):
    """A job that spoils the process of an actor, never that of the driver.

    Attributes:
        driver: The process of the driver.
        spoil: What is done to the process of an actor before the model is loaded.
    """

    driver: int = 0
    spoil: Callable[[], None] | None = None

    def __call__(self) -> Job:
        if os.getpid() != self.driver and self.spoil is not None:
            self.spoil()
        return super().__call__()


@dataclass(frozen=True)
class Death:
    """The death of a process when an actor is about to call a function of `part` for the second time, once in all.

    Attributes:
        name: The function.
        marker: The file that remembers the death.
        whose: The process; 0 for the actor.
    """

    name: str
    marker: str
    whose: int = 0

    def __call__(self) -> None:
        calls, real = 0, getattr(part, self.name)

        def deadly(*args: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 2 and first(Path(self.marker)):
                os.kill(self.whose or os.getpid(), signal.SIGKILL)
            return real(*args, **options)

        setattr(part, self.name, deadly)


def full_disk() -> None:
    """No file of this process may have more bytes than the mark of an attempt, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, resource.RLIM_INFINITY))


class LateHelper(RayHelper):
    """An actor of a fit that dies before it meets the others, if it is the last."""

    def take_part(self, rank: int, size: int, host: str, port: int) -> None:
        if rank == size - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        super().take_part(rank, size, host, port)
