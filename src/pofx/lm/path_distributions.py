"""Next-token distributions along known paths, which a model computes when they are asked for."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import Floats
from pofx.lm.trace import Ints


class PathDistributions(Protocol):
    """The next-token distributions at the scored positions of some paths, counted over all paths."""

    def rows(self, lo: int, hi: int, ids: Ints) -> tuple[Floats, NDArray[np.float64]]:
        """Return the distributions at some positions, and log p of a token at each.

        Args:
            lo: The first position; no smaller than that of the last call.
            hi: The position after the last one.
            ids: `[hi − lo]`, the token of each position.

        Returns:
            log p(· | prefix), `[hi − lo, V]` nats, and log p of the tokens, as `forward` gives it, `[hi − lo]` nats.
        """
