"""Bounds on the probabilities of a state whose next-token distribution sums only some of many terms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import Floats

Logs = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Bounds:
    """The mass that is counted and the mass that is left out after each of n prefixes, nats.

    For every prefix x and every token v some mass d is left out, and only an upper bound of d is known:

        P(x) = exp(kept) + d(x),   P(xv) = exp(kept + logp[v]) + d(xv),   0 ≤ d(xv) ≤ d(x) ≤ exp(dropped)

    V is the number of outcomes. Each row has an unknown constant factor, which a prefix shares with its continuations.
    So `kept` and `dropped` of a prefix may be compared with those of its continuations only.

    Attributes:
        kept: `[n]`, log of the mass of x that is counted.
        dropped: `[n]`, log of the mass of x that is not counted; −∞ where nothing is left out.
        logp: `[n, V]`, log p(v | x) of the counted mass alone.

    Right: `state.bounds.following()` for bounds on log p(v | x). Wrong: reading `kept` as log P(x).
    """

    kept: Logs
    dropped: Logs
    logp: Floats

    @classmethod
    def unknown(cls, logp: Floats) -> Bounds:
        """Return the bounds of a distribution of which nothing is certain: 0 ≤ p(v | x) ≤ 1."""
        n = len(logp)
        return cls(np.full(n, -np.inf), np.zeros(n), logp)

    @classmethod
    def exact(cls, kept: Logs, logp: Floats) -> Bounds:
        """Return the bounds of a distribution that leaves nothing out; `kept` is log P of each prefix."""
        return cls(kept, np.full(len(kept), -np.inf), logp)

    @property
    def most(self) -> Logs:
        """The upper bound of log P(x) on the scale of `kept`, `[n]`."""
        return np.logaddexp(self.kept, self.dropped)

    def following(self) -> tuple[Logs, Logs]:
        """Return bounds (low, high) of log p(v | x) for each token v, `[n, V]` nats; (−∞, 0) where no mass of x is known."""
        most = self.most[:, None]
        blind = np.isneginf(most)
        whole = np.where(blind, 0.0, most)
        share = np.where(
            blind, -np.inf, self.kept[:, None] - whole
        )  # 0 to the last digit where nothing is left out
        counted = self.logp + share
        low = np.minimum(counted, 0.0)
        high = np.minimum(np.logaddexp(counted, self.dropped[:, None] - whole), 0.0)
        return low, np.where(blind, 0.0, high)

    def shares(self, row: int) -> tuple[float, float]:
        """Return the log shares of a prefix's mass that are counted and left out; (−∞, 0) where no mass is known."""
        most = float(self.most[row])
        if most == -np.inf:
            return -np.inf, 0.0
        return float(self.kept[row]) - most, float(self.dropped[row]) - most
