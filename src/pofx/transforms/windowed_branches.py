"""Branches under a window rule: the model's own inside its window, and branches by `extend` beyond it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pofx.algorithms.logspace import Floats
from pofx.lm.continuation_tree import Branches, ExtensionBranches
from pofx.lm.trace import Ints


class WindowedBranches:
    """The distributions after the nodes of a growing tree, under a window rule.

    Where a node fills its window, the model has to read a new window. `far` reads such a node and its ancestors.

    Args:
        near: Branches of the model inside the window of each row.
        far: Branches under the window rule.
        fill: The number of tokens in the window of each row, `[rows]`.
        room: The most tokens of a window.
    """

    def __init__(self, near: Branches, far: ExtensionBranches, fill: Ints, room: int) -> None:
        self._near, self._far, self._fill, self._room = near, far, fill, room
        self._parent = np.zeros(0, dtype=np.int64)
        self._token = np.zeros(0, dtype=np.int64)
        self._size = np.zeros(0, dtype=np.int64)  # tokens in the window, with the node's token
        self._at = np.zeros(0, dtype=np.int64)  # number in `near`, −1 for none
        self._away = np.zeros(0, dtype=np.int64)  # number in `far`, −1 for none
        self._count = [0, 0]

    def grow(self, parent: Ints, token: Ints) -> Iterator[tuple[Ints, Floats]]:
        """Grow nodes as `Branches.grow` does."""
        first = len(self._parent)
        blank = np.full(len(parent), -1)
        self._parent, self._token = np.append(self._parent, parent), np.append(self._token, token)
        self._size, self._at = np.append(self._size, blank), np.append(self._at, blank)
        self._away = np.append(self._away, blank)
        for k, above in enumerate(parent.tolist(), first):
            self._size[k] = 1 + (self._size[above] if above >= 0 else self._fill[-1 - above])
        new = np.arange(first, len(self._parent))
        fits = self._size[new] < self._room
        yield from self._grown(0, self._near, self._at, new[fits], new[fits])
        if not fits.all():
            full = new[~fits]
            yield from self._grown(1, self._far, self._away, self._with_ancestors(full), full)

    def _with_ancestors(self, nodes: Ints) -> Ints:
        """Return the nodes and their ancestors, without the nodes that `far` has read."""
        unread = set()
        for node in nodes.tolist():
            while node >= 0 and node not in unread and self._away[node] < 0:
                unread.add(node)
                node = int(self._parent[node])
        return np.array(sorted(unread), dtype=np.int64)

    def _grown(
        self, side: int, branches: Branches, number: Ints, nodes: Ints, asked: Ints
    ) -> Iterator[tuple[Ints, Floats]]:
        if not len(nodes):
            return
        number[nodes] = self._count[side] + np.arange(len(nodes))
        start, self._count[side] = self._count[side], self._count[side] + len(nodes)
        above = self._parent[nodes]
        for read, logp in branches.grow(
            np.where(above < 0, above, number[np.maximum(above, 0)]), self._token[nodes]
        ):
            mine = nodes[read - start]
            answers = np.flatnonzero(np.isin(mine, asked))
            if len(answers):
                yield mine[answers], logp[answers]
