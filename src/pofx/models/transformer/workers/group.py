"""A group of processes that take every step of a fit together: sums, copies and comparisons over gloo."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pofx.errors import require

require("torch", "torch", "fitting a transformer")

import numpy as np
import torch
from torch import Tensor

# A text that processes compare has at most so many bytes; longer texts are cut.
_TEXT = 512


class LostWorker(Exception):
    """Another process of the group ended, or does not answer."""


class Group:
    """The processes of one fit, of which this process is number `rank`; process 0 reads, writes and reports.

    Every method is a collective: all processes call the same methods in the same order, and no call returns before all
    processes have called. All processes get the same bits. Each method raises `LostWorker` where another process has ended.

    Args:
        gloo: The process group of torch; None for a group of this process alone.
        rank: The number of this process, from 0.
        size: The number of processes.
    """

    def __init__(self, gloo: Any = None, rank: int = 0, size: int = 1) -> None:
        self._gloo = gloo
        self.rank, self.size = rank, size

    def add(self, tensor: Tensor) -> Tensor:
        """Replace a tensor by the sum over the tensors of all processes, and return the sum."""
        if self._gloo is not None:
            _wait(self._gloo, "allreduce", [tensor])
        return tensor

    def copy_first(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by the tensors of process 0, which have the same shapes."""
        if self._gloo is not None:
            for tensor in tensors:
                whole = tensor.detach().contiguous()
                _wait(self._gloo, "broadcast", whole, 0)
                with torch.no_grad():
                    tensor.copy_(whole)

    def first_bytes(self, data: bytes = b"") -> bytes:
        """Return the bytes that process 0 passed; the arguments of other processes are not read."""
        size = torch.tensor([len(data)])
        self.copy_first([size])
        sent = torch.zeros(int(size), dtype=torch.uint8)
        if self.rank == 0:
            sent = torch.from_numpy(np.frombuffer(data, dtype=np.uint8).copy())
        if len(sent):
            self.copy_first([sent])
        return sent.numpy().tobytes()

    def any(self, here: bool) -> bool:
        """Return whether any process passed True."""
        return here if self._gloo is None else bool(self.add(torch.tensor([int(here)])).item())

    def texts(self, here: str) -> list[str]:
        """Return the text that each process passed, in the order of the ranks, each cut to 512 bytes of UTF-8."""
        table = torch.zeros(self.size, _TEXT, dtype=torch.uint8)
        own = here.encode("utf-8")[:_TEXT]
        table[self.rank, : len(own)] = torch.tensor(list(own), dtype=torch.uint8)
        rows = self.add(table)
        return [bytes(row.tolist()).rstrip(b"\0").decode("utf-8", "ignore") for row in rows]


ALONE = Group()


def _wait(gloo: Any, name: str, *arguments: Any) -> None:
    """Call a collective of gloo, and wait until it is done."""
    try:
        getattr(gloo, name)(*arguments).wait()
    except (
        RuntimeError
    ) as e:  # gloo has no class of its own for a closed connection or a process that does not answer
        raise LostWorker(first_sentence(str(e))) from e


def first_sentence(message: str) -> str:
    """Return the first sentence of a message of gloo, without the place in the source of gloo that it begins with."""
    return re.sub(r"^\[[^\]]*\]\s*", "", " ".join(message.split())).split(". ")[0]


def share(lengths: Iterable[int], rank: int, size: int) -> list[int]:
    """Return the indices of the pieces that process `rank` reads, in order; the loads of the processes are about equal.

    The longest piece that is left goes to the process with the fewest tokens. All processes compute the same shares.

    Args:
        lengths: The tokens of each piece.
        rank: The number of the process.
        size: The number of processes.
    """
    of = list(lengths)
    loads, mine = [0] * size, []
    for i in sorted(range(len(of)), key=lambda i: -of[i]):
        to = min(range(size), key=loads.__getitem__)
        loads[to] += of[i]
        if to == rank:
            mine.append(i)
    return sorted(mine)
