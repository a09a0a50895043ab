"""The place of a process in a group that `torchrun` started, as the environment names it; torch is not imported."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from pofx.errors import BadValue

# The variables by which `torchrun` tells a process of its group.
_TORCHRUN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Torchrun:
    """The place of this process in a group that `torchrun` started.

    Attributes:
        rank: The number of this process, from 0.
        size: The number of processes.
        restarts: How often `torchrun` started the processes again, after one of them ended.
    """

    rank: int
    size: int
    restarts: int = 0

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Torchrun | None:
        """Return the place that the environment names; None outside `torchrun`, and for a group of one process.

        Args:
            environment: The variables of the process.
        """
        if not all(environment.get(name) for name in _TORCHRUN):
            return None
        again = int(environment.get("TORCHELASTIC_RESTART_COUNT", "0"))
        found = cls(int(environment["RANK"]), int(environment["WORLD_SIZE"]), again)
        return found if found.size > 1 else None

    def check(self, workers: int | None) -> None:
        """Check that `workers`, the number that the caller named, is the number of `torchrun`.

        Raises:
            BadValue: The numbers differ, or the caller named no number.
        """
        if workers != self.size:
            raise BadValue(
                f"expected {self.size}, the number of processes that torchrun started, got {workers}",
                f"write {self.size}",
                argument="workers",
            )
