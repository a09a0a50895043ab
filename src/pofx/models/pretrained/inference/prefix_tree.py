"""A tree of token sequences, which holds every shared prefix once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pofx.lm.trace import Ints

# A shared run becomes a node of its own where a node spares at least so many tokens. One token costs a layer 66 µs at
# 107 GFLOP/s, and another group of attention 40 µs. Below this number the bookkeeping takes as much time as the node spares.
WORTH = 8


@dataclass(frozen=True, eq=False)
class PrefixTree:
    """Nodes in preorder, each of which is a run of tokens; `stream` holds the tokens of all nodes end to end.

    Attributes:
        stream: The tokens of all nodes.
        begin: The place in the stream where the run of each node begins.
        length: The length of the run of each node.
        depth: The number of tokens above each node.
        parent: The number of the parent of each node, −1 at the top.
        leaf: The node of the last token of each sequence, −1 for an empty sequence.
        sizes: The length of each sequence.
    """

    stream: Ints
    begin: Ints
    length: Ints
    depth: Ints
    parent: Ints
    leaf: Ints
    sizes: Ints

    def rows(self, sequence: int) -> Ints:
        """Return the places of the tokens of a sequence in the stream, in order."""
        runs = []
        node = int(self.leaf[sequence])
        while node >= 0:
            runs.append(np.arange(self.begin[node], self.begin[node] + self.length[node]))
            node = int(self.parent[node])
        whole = np.concatenate([np.zeros(0, dtype=np.int64), *runs[::-1]])
        return whole[: self.sizes[sequence]].astype(np.int64)


def prefix_tree(sequences: Sequence[NDArray[np.int64]], worth: int = WORTH) -> PrefixTree:
    """Return the tree of sequences of ids ≥ 0, in which a run shared by b branches stands once if (b − 1)·length ≥ worth.

    Of `[x0 a b]`, `[x0 a c]`, `[x0 d]` with worth = 1 the tree has x0 above a and d, and a above b and c. Equal sequences
    end in one node.
    """
    sizes = np.array([len(s) for s in sequences], dtype=np.int64)
    keys = [np.asarray(s).astype(">u4").tobytes() for s in sequences]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    shared = np.array([_common(sequences[a], sequences[b]) for a, b in pairwise(order)], dtype=np.int64)
    leaf = np.full(len(sequences), -1, dtype=np.int64)
    runs: list[tuple[int, int, int, int]] = []  # the sequence that has the run, first, stop, parent
    # Intervals of the sorted sequences, with the node above them, and the number of tokens in the node and its ancestors.
    todo = [(0, len(order), -1, 0)] if order else []
    while todo:
        lo, hi, above, kept = todo.pop()
        first = order[lo]
        if hi - lo == 1:
            size = int(sizes[first])
            if size > kept:
                runs.append((first, kept, size, above))
                leaf[first] = len(runs) - 1
            else:
                leaf[first] = above
            continue
        inside = shared[lo : hi - 1]
        common = int(inside.min())
        cuts = lo + 1 + np.flatnonzero(inside == common)
        # A branch that ends with the shared run has no further tokens, and spares the shared run, too.
        if len(cuts) * (common - kept) >= worth:
            runs.append((first, kept, common, above))
            above, kept = len(runs) - 1, common
        edges = [lo, *cuts.tolist(), hi]
        todo.extend((a, b, above, kept) for a, b in zip(edges[-2::-1], edges[:0:-1]))
    begin = np.cumsum([0] + [stop - start for _, start, stop, _ in runs])[:-1]
    stream = (
        np.concatenate([np.asarray(sequences[i][start:stop]) for i, start, stop, _ in runs])
        if runs
        else np.zeros(0)
    )
    return PrefixTree(
        stream.astype(np.int64),
        begin.astype(np.int64),
        np.array([stop - start for _, start, stop, _ in runs], dtype=np.int64),
        np.array([start for _, start, _, _ in runs], dtype=np.int64),
        np.array([above for *_, above in runs], dtype=np.int64),
        leaf,
        sizes,
    )


def _common(a: NDArray[np.int64], b: NDArray[np.int64]) -> int:
    """Return the length of the common prefix of two sequences."""
    n = min(len(a), len(b))
    apart = np.flatnonzero(a[:n] != b[:n])
    return int(apart[0]) if len(apart) else n
