"""Finite Markov chains that stop: the distribution of the number of moves, and the probability of never stopping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]
Probs = NDArray[np.float64]

# The most states for a dense solve: 2,000 states are a 32 MB matrix and 0.2 s.
DENSE = 2000


@dataclass(frozen=True, eq=False)
class Chain:
    """A finite Markov chain that may stop in any state.

    The probabilities of the edges out of a state and of its stop sum to 1.

    Attributes:
        source: `[edges]`, the state that each edge leaves, in rising order.
        to: `[edges]`, the state that each edge enters.
        prob: `[edges]`, the probability of each edge.
        stop: `[states]`, the probability of stopping in each state.
    """

    source: Index
    to: Index
    prob: Probs
    stop: Probs

    @property
    def size(self) -> int:
        """The number of states."""
        return len(self.stop)

    def mean_of_next(self, value: Probs) -> Probs:
        """Return Σ prob · value[to] over the edges of each state: the expected value after one move, 0 for a stop."""
        out = np.zeros(self.size)
        if len(self.prob):
            # `reduceat` takes 6 ms for 1.2 M edges, and `bincount` 13 ms.
            states, first, to = self._segments
            out[states] = np.add.reduceat(value[to] * self.prob, first)
        return out

    @cached_property
    def _segments(self) -> tuple[Index, Index, NDArray[np.int32]]:
        """The states that have edges, the number of each such state's first edge, and the target of every edge."""
        states, first = np.unique(self.source, return_index=True)
        return states, first.astype(np.int64), self.to.astype(np.int32)


def survival(chain: Chain, start: int, moves: Sequence[int]) -> tuple[float, ...]:
    """Return the exact P(the chain from `start` makes at least m moves without stopping), for each m of `moves`.

    A move takes O(edges) steps.

    Right: `survival(chain, 0, [1, 2, 4])`. Wrong: a large m for the limit m → ∞, which `never_stops` computes.
    """
    value = np.ones(chain.size)
    found = {0: 1.0}
    for m in range(1, max(moves, default=0) + 1):
        value = chain.mean_of_next(value)
        found[m] = float(value[start])
    return tuple(found[m] for m in moves)


def never_stops(
    chain: Chain, start: int, tolerance: float = 1e-12, most: int = 100_000
) -> tuple[float, float]:
    """Return bounds (lo, hi) of P(the chain from `start` never stops), equal up to rounding for at most 2,000 states.

    A finite chain that can always still stop does so with probability 1. So the chain never stops exactly if it enters the
    trap Z, the states from which no stop can be reached. P(reach Z) is the minimal non-negative solution of h = A h + e,
    where e is the probability of moving into Z (Kemeny & Snell 1960, ch. 3). Where Z cannot be reached, the answer is
    exactly 0. A larger system is iterated from below, both for Z and for stopping. Either result bounds the other, so the
    interval is certified.

    Args:
        chain: The chain.
        start: The first state.
        tolerance: The width of the interval at which the iteration ends.
        most: The most steps of the iteration.

    Right: `lo, hi = never_stops(chain, 0)`. Wrong: 1 − (probability of stopping), which cancels near 0.
    """
    can_stop = _closure(chain.stop > 0, chain.to, chain.source)
    here = np.zeros(chain.size, dtype=bool)
    here[start] = True
    reached = _closure(here, chain.source, chain.to)
    if not np.any(reached & ~can_stop):
        return 0.0, 0.0
    if not can_stop[start]:
        return 1.0, 1.0
    inner = reached & can_stop
    place = np.cumsum(inner) - 1
    from_inner = inner[chain.source]
    trapped = from_inner & ~can_stop[chain.to]
    kept = from_inner & can_stop[chain.to]
    n = int(inner.sum())
    into = np.bincount(place[chain.source[trapped]], weights=chain.prob[trapped], minlength=n)
    small = Chain(place[chain.source[kept]], place[chain.to[kept]], chain.prob[kept], chain.stop[inner])
    first = int(place[start])
    if n <= DENSE:
        a = np.eye(n)
        np.subtract.at(a, (small.source, small.to), small.prob)
        h = float(np.clip(np.linalg.solve(a, into)[first], 0.0, 1.0))
        return h, h
    trap, stop = into.astype(np.float64), small.stop.copy()
    for _ in range(most):
        if 1.0 - stop[first] - trap[first] < tolerance:
            break
        trap, stop = into + small.mean_of_next(trap), small.stop + small.mean_of_next(stop)
    return float(trap[first]), float(max(1.0 - stop[first], trap[first]))


def _closure(marked: NDArray[np.bool_], source: Index, to: Index) -> NDArray[np.bool_]:
    """Return the marked states, and all states that are reached from them by the edges `source -> to`."""
    marked = marked.copy()
    while True:
        fresh = to[marked[source] & ~marked[to]]
        if not len(fresh):
            return marked
        marked[fresh] = True
