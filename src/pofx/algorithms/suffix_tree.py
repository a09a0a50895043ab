"""The suffix tree of sorted suffixes: the prefixes that several suffixes share and go on from differently."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SuffixTree:
    """The inner nodes of a suffix tree, by rising depth; node 0 is the root. The suffixes are the leaves.

    A suffix is named by its number in sorted order. Each node stands for a prefix that several suffixes share.

    Attributes:
        depth: `[nodes]`, the length of the prefix of each node.
        parent: `[nodes]`, the node of the next shorter prefix; −1 for the root.
        left: `[nodes]`, the first suffix that has the prefix.
        right: `[nodes]`, one more than the last suffix that has the prefix.
        leaf_parent: `[suffixes]`, the node of the longest prefix that a suffix shares with another suffix.
        height: `[suffixes + 1]`, the length that suffix i shares with suffix i − 1; −1 at both ends.
        by_leaf: `[suffixes]`, the node that `loci` finds at a leaf.
    """

    depth: Index
    parent: Index
    left: Index
    right: Index
    leaf_parent: Index
    height: Index
    by_leaf: Index

    def loci(self, left: Index, right: Index) -> Index:
        """Find the node of each range of suffixes that share a prefix which no other suffix has.

        Args:
            left: `[q]`, the first suffix of each range.
            right: `[q]`, one more than the last suffix of each range.

        Returns:
            `[q]`, the node of each range; −1 − i for a range of suffix i alone, which is a leaf.
        """
        several = np.flatnonzero(right - left > 1)
        out = -1 - left
        out[several] = self.by_leaf[_leaf_of(self.height, left[several], right[several])]
        return out


def suffix_tree(shared: Index) -> SuffixTree:
    """Build the tree of n sorted suffixes from the lengths that neighbours share.

    Args:
        shared: `[n]`, the length that suffix i shares with suffix i − 1; the first number is not read.

    Returns:
        The tree.
    """
    n = len(shared)
    height = np.full(n + 1, -1, dtype=np.int64)
    height[1:n] = shared[1:]
    before = _previous(height, equal_ends=True)
    after = n - _previous(height[::-1], equal_ends=False)[::-1]
    inner = np.arange(1, n)
    # Boundaries of one node form a list from the last to the first; the first one stands for the node.
    head = np.arange(n + 1)
    linked = inner[height[before[inner]] == height[inner]]
    head[linked] = before[linked]
    while True:
        further = head[head]
        if np.array_equal(further, head):
            break
        head = further
    first = inner[head[inner] == inner]
    first = first[np.argsort(height[first], kind="stable")]
    depth, left, right = height[first], before[first], after[first]
    rootless = not len(first) or depth[0] > 0
    if rootless:
        depth, left, right = (np.append(v, a) for v, a in ((0, depth), (0, left), (n, right)))
    number = np.full(n + 1, -1, dtype=np.int64)
    number[first] = np.arange(len(first)) + rootless
    boundary = number[head]
    parent = _enclosing(height, boundary, left, right)
    parent[0] = -1
    leaves = np.arange(n)
    leaf_parent = _enclosing(height, boundary, leaves, leaves + 1)
    by_leaf = np.zeros(max(n, 1), dtype=np.int64)
    by_leaf[_leaf_of(height, left, right)] = np.arange(len(left))
    return SuffixTree(depth, parent, left, right, leaf_parent, height, by_leaf)


def _leaf_of(height: Index, left: Index, right: Index) -> Index:
    """Return a leaf of each node that stands for no other node: the first leaf of the node, or its last leaf.

    A node with the higher `height` at its left end is the largest node that begins with its first leaf, since its parent
    begins further left. Any other node is the largest node that ends with its last leaf. No leaf stands for one node of each
    kind: the two nodes would share this leaf alone, but two nodes are nested or disjoint.
    """
    return np.where(height[left] >= height[right], left, right - 1)


def _enclosing(height: Index, boundary: Index, left: Index, right: Index) -> Index:
    """Return the smallest node around each range: the node of the higher one of its two ends, or the root."""
    return np.maximum(np.where(height[left] >= height[right], boundary[left], boundary[right]), 0)


def _previous(values: Index, equal_ends: bool) -> Index:
    """For each place but the first, find the nearest earlier place whose value is smaller, or equal with `equal_ends`.

    All places jump at once. A place p that has reached a place q may jump on to where q has jumped, since all values between
    are larger. So a descent of n steps takes about log n rounds.
    """
    at = np.arange(len(values)) - 1
    at[0] = 0
    going = np.arange(1, len(values))
    while len(going):
        reached = at[going]
        over = values[reached] > values[going] if equal_ends else values[reached] >= values[going]
        # The first value is −1, as is the last. The last place stops at the first one.
        going = going[over & (reached > 0)]
        at[going] = at[at[going]]
    return at
