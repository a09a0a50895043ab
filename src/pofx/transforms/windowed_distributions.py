"""Next-token distributions along paths of several windows, a stretch of windows at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import Floats
from pofx.lm.model import LM
from pofx.lm.path_distributions import PathDistributions
from pofx.lm.trace import Ints

# The tokens of a stretch, unless a window is longer. 4,096 hidden states of 576 numbers are 9 MB.
TOKENS = 4096


class WindowedDistributions:
    """The distributions at the positions that windows predict. Local to one reader, since a call moves to later windows.

    Args:
        lm: The model inside a window, which has `path_distributions`.
        cut: The tokens of each window.
        read: The number of tokens of each window that an earlier window has predicted.
    """

    def __init__(self, lm: LM, cut: Sequence[Ints], read: Sequence[int]) -> None:
        self._lm, self._cut, self._read = lm, cut, read
        self._next = 0  # the first window that was not read
        self._first = self._last = 0  # the positions of the stretch in memory
        self._now: PathDistributions | None = None

    def rows(self, lo: int, hi: int, ids: Ints) -> tuple[Floats, NDArray[np.float64]]:
        """Return the distributions and log p of a token each, as `PathDistributions` says."""
        found = []
        at = lo
        while at < hi:
            while at >= self._last:
                self._read_on()
            stop = min(hi, self._last)
            assert self._now is not None  # noqa: S101  (ours: a stretch was read)
            found.append(self._now.rows(at - self._first, stop - self._first, ids[at - lo : stop - lo]))
            at = stop
        if len(found) == 1:
            return found[0]
        laws, logp = zip(*found)
        return np.concatenate(laws), np.concatenate(logp)

    def _read_on(self) -> None:
        """Read the next stretch of windows."""
        w, tokens = self._next, 0
        assert w < len(self._cut)  # noqa: S101  (ours: the windows have the positions that are asked for)
        while w < len(self._cut) and (w == self._next or tokens + len(self._cut[w]) <= TOKENS):
            tokens += len(self._cut[w])
            w += 1
        cut, read = self._cut[self._next : w], self._read[self._next : w]
        self._now = None  # so that two stretches are never in memory
        self._now = self._lm.path_distributions(cut, read)
        self._next = w
        self._first, self._last = self._last, self._last + sum(len(c) - r for c, r in zip(cut, read))
