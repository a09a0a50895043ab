"""A growing tree of continuations: next-token distributions after many prefixes, each shared part read once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from pofx.algorithms.logspace import Floats
from pofx.lm.state import State
from pofx.lm.trace import Ints


class Branches(Protocol):
    """A tree of prefixes that branch off the rows of a state; nodes are numbered 0, 1, … in the order of growth."""

    def grow(self, parent: Ints, token: Ints) -> Iterator[tuple[Ints, Floats]]:
        """Grow one node for each pair of a parent and a token.

        Args:
            parent: `[m]`, the number of each new node's parent. A parent may be a new node that stands earlier in this
                call; −1 − r names row r of the state.
            token: `[m]`, the token by which each new node follows its parent.

        Yields:
            Blocks of new nodes: their numbers `[k]`, and log p(· | node), `[k, V]` nats. Every new node stands in one
            block. The caller must exhaust the iterator.
        """


class ExtensionBranches:
    """The tree of any LM, by one call of `extend` for each generation of nodes."""

    def __init__(self, extend: Callable[[State, Ints], State], root: State) -> None:
        self._extend = extend
        self._batches = [root]
        self._batch = np.zeros(0, dtype=np.int64)  # the state that holds each node
        self._row = np.zeros(0, dtype=np.int64)  # the row of each node in that state

    def grow(self, parent: Ints, token: Ints) -> Iterator[tuple[Ints, Floats]]:
        """Grow nodes as `Branches.grow` does, one generation at a time."""
        first = len(self._row)
        age = count_generations(parent, first)
        self._batch = np.append(self._batch, np.zeros_like(parent))
        self._row = np.append(self._row, np.zeros_like(parent))
        for now in range(int(age.max(initial=-1)) + 1):
            new = np.flatnonzero(age == now)
            above = parent[new]
            inside = np.maximum(above, 0)
            batch = np.where(above < 0, 0, self._batch[inside])
            row = np.where(above < 0, -1 - above, self._row[inside])
            order = np.argsort(batch, kind="stable")
            new, batch, row = new[order], batch[order], row[order]
            parts = [self._batches[b].take(row[batch == b]) for b in np.unique(batch)]
            state = self._extend(
                parts[0].cat(*parts[1:]) if len(parts) > 1 else parts[0], token[new][:, None]
            )
            self._batch[first + new], self._row[first + new] = len(self._batches), np.arange(len(new))
            yield first + new, state.logp
            self._batches.append(state.without_distributions())


def count_generations(parent: Ints, first: int) -> Ints:
    """Count the ancestors of each new node among the new nodes, whose numbers begin at `first`."""
    age = np.zeros(len(parent), dtype=np.int64)
    for k in np.flatnonzero(parent >= first):
        age[k] = age[parent[k] - first] + 1
    return age
