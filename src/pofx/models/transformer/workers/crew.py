"""The crew of a fit: its group of processes, and what is known of a process that ended before the fit did."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pofx.errors import BadValue, require

require("torch", "torch", "fitting a transformer")

import torch.distributed as torch_distributed

from pofx.models.transformer.workers.group import Group, LostWorker, first_sentence

dist: Any = torch_distributed  # torch's own annotations leave out most of what it documents

# A process that does not answer for so long is lost. A step takes seconds at most, and a checkpoint some minutes.
PATIENCE = timedelta(minutes=10)
# A process that was told to end gets so many seconds before it is killed.
LAST_WORDS = 10.0
# Until all processes have met, so many seconds pass between two looks for a process that has ended.
_LOOK = 0.2


def no_answer(cause: str) -> str:
    """Return the end of an error message about a process of which nothing is known but the message of gloo, `cause`."""
    return f"no answer of another process ({cause})"


@dataclass(frozen=True)
class Crew:
    """The group of a fit, and what is known of the processes that were started for it.

    Attributes:
        group: The group.
        describe_loss: Returns which worker ended, and how, as the end of an error message. Its argument is the message of
            gloo, which stands in the text where no process is known to have ended.
    """

    group: Group
    describe_loss: Callable[[str], str] = no_answer


def join(store: Any, rank: int, size: int, address: str) -> Group:
    """Join the processes that share a store, and listen on one address alone; return when all have joined.

    Args:
        store: A store of torch, in which the processes find each other.
        rank: The number of this process, from 0.
        size: The number of processes.
        address: The address of this machine on which the process listens.
    """
    options = dist.ProcessGroupGloo._Options()
    options._devices = [dist.ProcessGroupGloo.create_device(hostname=address)]
    options._timeout = PATIENCE
    group = Group(dist.ProcessGroupGloo(store, rank, size, options), rank, size)
    group.any(False)
    return group


def meet(
    joining: Callable[[], Group], size: int, is_lost: Callable[[], bool], describe_loss: Callable[[str], str]
) -> Group:
    """Join the other processes as process 0, and give up as soon as one of them has ended.

    Until all have joined, gloo does not see that a process has ended, and waits for `PATIENCE`. So gloo waits in a thread,
    which ends with this process, or after `PATIENCE`.

    Args:
        joining: Joins the processes, as `join` does.
        size: The number of processes.
        is_lost: Returns whether another process has ended.
        describe_loss: As in `Crew`.

    Returns:
        The group.

    Raises:
        BadValue: Another process ended.
    """
    future: Future[Group] = Future()
    threading.Thread(target=_settle, args=(future, joining), daemon=True).start()
    try:
        while not wait([future], _LOOK).done:
            if is_lost():
                raise LostWorker("a process ended before all had met")
        return future.result()
    except (LostWorker, RuntimeError) as e:
        raise BadValue(
            f"expected {size} processes that meet, got {describe_loss(first_sentence(str(e)))}",
            "run the fit again, with fewer workers if memory ran short",
            argument="workers",
        ) from None


def _settle(future: Future[Group], joining: Callable[[], Group]) -> None:
    try:
        future.set_result(joining())
    except BaseException as e:
        future.set_exception(e)
