"""The prefixes that were read last, as a trie of bounded size with a place for each token."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]

# If places are needed, at least 1 / SHARE of all places become free at once, since all places are sorted each time: 65,536
# places take 8 ms.
SHARE = 32


class RecentPrefixes:
    """A trie of token sequences in which each node has a place, a number below `capacity`.

    A node is one token after the tokens above it, so two sequences share the places of their common prefix. `free` removes
    the nodes that were touched longest ago, and the nodes below a node before this node. `free` removes no held node.

    Args:
        capacity: The number of places, and so the most nodes.

    Right: `touch` and `hold` whole paths from the root on, so that a node is never older than the nodes below it.
    Wrong: `touch` the end of a path alone, since `free` could then remove a node before the nodes below it.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._below: dict[tuple[int, int], int] = {}  # (the place above or −1, token) → place
        self._key: list[tuple[int, int] | None] = [None] * capacity
        self._free = list(range(capacity))[::-1]
        self._depth = np.zeros(capacity, dtype=np.int64)
        self._touched = np.full(capacity, -1, dtype=np.int64)  # −1 for a free place
        self._holders = np.zeros(capacity, dtype=np.int64)
        self._now = 0

    def __len__(self) -> int:
        return len(self._below)

    def find(self, above: int, token: int) -> int:
        """Return the place of a token below the place `above` (−1 for the root); −1 where the trie has no such node."""
        return self._below.get((above, token), -1)

    def add(self, above: int, token: int, depth: int) -> int:
        """Add a token below a place, and return the place of the token; −1 if no place is free, and nothing is added.

        Args:
            above: The place above, −1 for the root.
            token: The token, which is not yet below `above`.
            depth: The number of tokens above.
        """
        if not self._free:
            return -1
        place = self._free.pop()
        self._below[above, token] = place
        self._key[place] = above, token
        self._depth[place] = depth
        self._touched[place] = self._now
        return place

    def touch(self, places: Places) -> None:
        """Note that the nodes of whole paths are used now."""
        self._now += 1
        self._touched[places] = self._now

    def hold(self, places: Places) -> None:
        """Keep `free` from removing the nodes of whole paths until `release`; no place occurs twice in `places`."""
        self._holders[places] += 1

    def release(self, places: Places) -> None:
        """Undo one `hold` of the same places."""
        self._holders[places] -= 1

    def free(self, n: int) -> Places:
        """Remove the oldest nodes until n places are free, and return the places that became free.

        If fewer than n places are free, at least 1 / `SHARE` of all places become free. If too many nodes are held, fewer
        than n places are free afterwards.
        """
        if n <= len(self._free):
            return np.zeros(0, dtype=np.int64)
        loose = np.flatnonzero((self._touched >= 0) & (self._holders == 0))
        # Below a node no node is younger, and nodes of one age leave from below.
        order = np.lexsort((-self._depth[loose], self._touched[loose]))
        gone = loose[order[: max(n - len(self._free), self.capacity // SHARE)]]
        self.remove(gone)
        return gone

    def remove(self, places: Places) -> None:
        """Remove nodes; `places` also has all nodes below them, which would otherwise stay without a path to the root."""
        for place in places.tolist():
            key = self._key[place]
            assert key is not None  # noqa: S101  (ours: only places of nodes are removed)
            del self._below[key]
            self._key[place] = None
            self._free.append(place)
        self._touched[places] = -1
