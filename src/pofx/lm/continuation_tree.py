"""Laws behind the nodes of a growing tree of continuations: many histories at once, what they share read once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from pofx.algorithms.logspace import Floats
from pofx.lm.state import State
from pofx.lm.trace import Ints


class Branches(Protocol):
    """Prefixes that branch off the rows of a state. Nodes are numbered 0, 1, … as they are grown."""

    def grow(self, parent: Ints, token: Ints) -> Iterator[tuple[Ints, Floats]]:
        """New nodes: `parent[m]` followed by `token[m]`; yields numbers of nodes and log p(· | node), `[k, V]` nats.

        parent: the number of an older node, also one of this call that stands before it, or −1 − r for row r of the
        state. Every new node is yielded once, in blocks as they come; the iterator is to be used up.
        """


class ExtensionBranches:
    """Branches of any LM, off a `State`: one `extend` a generation of nodes."""

    def __init__(self, extend: Callable[[State, Ints], State], root: State) -> None:
        self._extend = extend
        self._batches = [root]
        self._batch = np.zeros(0, dtype=np.int64)  # of each node, and its row there
        self._row = np.zeros(0, dtype=np.int64)

    def grow(self, parent: Ints, token: Ints) -> Iterator[tuple[Ints, Floats]]:
        """As `Branches` says."""
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
            self._batches.append(state.without_law())


def count_generations(parent: Ints, first: int) -> Ints:
    """How many nodes from number `first` on stand above each new one."""
    age = np.zeros(len(parent), dtype=np.int64)
    for k in np.flatnonzero(parent >= first):
        age[k] = age[parent[k] - first] + 1
    return age
