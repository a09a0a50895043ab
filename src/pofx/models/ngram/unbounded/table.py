"""The table of contexts of an unbounded n-gram, and the two estimates of each context from its own counts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.suffix_array import Index
from pofx.models.ngram.smoothing import Probs, discounts_of
from pofx.models.ngram.unbounded.buckets import branch_kind
from pofx.models.ngram.unbounded.contexts import Contexts
from pofx.models.ngram.unbounded.followers import Followers

Ids = NDArray[np.int32]

# A product of thousands of weights would be 0 in float64, and the token impossible.
LEAST = 1e-300

# Contexts of this length or more share their discounts.
DEEP = 30


@dataclass(frozen=True, eq=False)
class ContextTable:
    """The contexts, the tokens that followed each of them, and the histories that occurred once.

    A place is a node, or −1 − i for history i alone.

    Attributes:
        size: The number of outcomes of the vocabulary.
        depth: `[nodes]`, how many tokens each context has.
        parent: `[nodes]`, the next shorter context; −1 for the root, the empty context.
        key: `[pairs]`, as in `Followers`.
        branches: `[pairs]`, as in `Followers`.
        events: `[pairs]`, as in `Followers`.
        to: `[pairs]`, as in `Followers`.
        token: `[histories]`, the token after each history.
        following: `[histories]`, the history of the next event; −1 for none.
        above: `[histories]`, the longest context of each history.
        alone: `[V + 1]`, as in `Contexts`.
        discounts: `[DEEP + 1, 4]`, what is taken off a count of branches of 0, 1, 2 and more, by length of the context.
        first: `[nodes + 1]`, the first pair of each node.
        all_branches: `[nodes]`, the sum of `branches`.
        all_events: `[nodes]`, the sum of `events`.
        kept: `[nodes]`, the sum of `branches` after the discounts.
        discount_class: `[nodes]`, the row of `discounts`: one more than the length of the parent, 0 for the root.
        kind: `[nodes]`, the `branch_kind` of each node.
    """

    size: int
    depth: Ids
    parent: Ids
    key: Index
    branches: Ids
    events: Ids
    to: Ids
    token: Ids
    following: Ids
    above: Ids
    alone: Ids
    discounts: Probs
    first: Index = field(init=False)
    all_branches: Index = field(init=False)
    all_events: Index = field(init=False)
    kept: Probs = field(init=False)
    discount_class: NDArray[np.int8] = field(init=False)
    kind: NDArray[np.int16] = field(init=False)

    def __post_init__(self) -> None:
        nodes = len(self.depth)
        node = self.key // self.size
        set_ = object.__setattr__
        set_(self, "first", np.searchsorted(node, np.arange(nodes + 1)))
        classes = np.minimum(self.depth[self.parent] + 1, DEEP).astype(np.int8)
        classes[0] = 0
        set_(self, "discount_class", classes)
        set_(self, "all_branches", np.bincount(node, self.branches, nodes).astype(np.int64))
        set_(self, "all_events", np.bincount(node, self.events, nodes).astype(np.int64))
        cut = self.discounts[classes[node], np.minimum(self.branches, 3)]
        set_(self, "kept", np.bincount(node, self.branches - cut, nodes))
        set_(self, "kind", branch_kind(self.all_branches, np.diff(self.first)).astype(np.int16))

    def length_above(self, node: Index) -> Index:
        """Return the length of the parent of each node, `[q]`; 0 for the root."""
        return np.where(node > 0, self.depth[self.parent[node]], 0).astype(np.int64)

    def find(self, node: Index, token: Index) -> Index:
        """Return the pair of each node and token, `[q]`; −1 where the token did not follow the context."""
        if not len(self.key):
            return np.full(len(node), -1)
        asked = node * self.size + token
        at = np.minimum(np.searchsorted(self.key, asked), len(self.key) - 1)
        return np.where(self.key[at] == asked, at, -1)

    def shares(self, node: Index, pair: Index) -> tuple[Probs, Probs]:
        """Return the two estimates of the token of each pair, from the counts of the node alone.

        Args:
            node: The node of each pair, `[q]`.
            pair: The pair, `[q]`; −1 for a token that did not follow the context.

        Returns:
            The share of the branches after the discounts, `[q]`, and the share of the events, `[q]`; both 0 for pair −1.
        """
        seen, at = pair >= 0, np.maximum(pair, 0)
        if not len(self.key):
            return np.zeros(len(node)), np.zeros(len(node))
        count = np.where(seen, self.branches[at], 0)
        cut = self.discounts[self.discount_class[node], np.minimum(count, 3)]
        return (count - cut) / self.kept[node], np.where(seen, self.events[at], 0) / self.all_events[node]


def context_table(contexts: Contexts, followers: Followers, size: int) -> ContextTable:
    """Gather the columns of a table, and estimate its discounts of branches as modified Kneser–Ney smoothing does.

    Args:
        contexts: The contexts.
        followers: The pairs of contexts and tokens.
        size: The number of outcomes of the vocabulary.

    Returns:
        The table.
    """
    tree = contexts.tree
    node = followers.key // size
    parent = tree.parent[node]
    length = np.where(parent < 0, 0, np.minimum(tree.depth[parent] + 1, DEEP))
    discounts = np.zeros((DEEP + 1, 4))
    capped = np.minimum(followers.branches, 5)
    for k in range(DEEP + 1):
        discounts[k, 1:] = discounts_of(np.bincount(capped[length == k], minlength=6))
    return ContextTable(
        size,
        tree.depth.astype(np.int32),
        tree.parent.astype(np.int32),
        followers.key,
        followers.branches.astype(np.int32),
        followers.events.astype(np.int32),
        followers.to.astype(np.int32),
        contexts.token.astype(np.int32),
        contexts.following.astype(np.int32),
        tree.leaf_parent.astype(np.int32),
        contexts.alone.astype(np.int32),
        discounts,
    )
