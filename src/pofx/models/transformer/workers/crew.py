"""The crew of a fit: its group of processes, and what is known of a process that ended before the fit did."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pofx.errors import require

require("torch", "torch", "fitting a transformer")

import torch.distributed as torch_distributed

from pofx.models.transformer.workers.group import Group

dist: Any = torch_distributed  # torch's own annotations leave out most of what it documents

# A process that does not answer for so long is lost. A step takes seconds at most, and a checkpoint some minutes.
PATIENCE = timedelta(minutes=10)
# A process that was told to end gets so many seconds before it is killed.
LAST_WORDS = 10.0


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
