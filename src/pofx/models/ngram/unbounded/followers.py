"""The tokens that followed each context: how often, and which context each of them leads to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pofx.algorithms.suffix_array import Index
from pofx.models.ngram.unbounded.contexts import LONGEST, Contexts


@dataclass(frozen=True, eq=False)
class Followers:
    """The pairs of a context and a token that followed the context, in the order of their keys.

    Attributes:
        level: `[nodes]`, how many nodes lie above each node; 0 for the root.
        key: `[pairs]`, the node times the size of the vocabulary, plus the token.
        branches: `[pairs]`, how many children of the node the token followed: next longer contexts, and single histories.
        events: `[pairs]`, how often the token followed the context.
        to: `[pairs]`, the node of the context with the token appended; −1 − i for history i alone; −1 − n, where n is the
            number of histories, if no event followed.
        up: `[pairs]`, the pair of the parent and the same token; −1 for the root.
    """

    level: Index
    key: Index
    branches: Index
    events: Index
    to: Index
    up: Index


def followers_of(contexts: Contexts, size: int, longest: int = LONGEST) -> Followers:
    """Count the tokens after each context, from the deepest contexts up.

    Args:
        contexts: The contexts.
        size: The number of outcomes of the vocabulary.
        longest: As in `contexts_of`.

    Returns:
        The pairs of all contexts.
    """
    tree, n = contexts.tree, len(contexts.token)
    level = _levels(tree.parent)
    deepest = int(level.max())
    leaf_level = level[tree.leaf_parent]
    by_level = np.argsort(leaf_level, kind="stable")
    cuts = np.searchsorted(leaf_level[by_level], np.arange(deepest + 2))
    none = np.zeros(0, dtype=np.int64)
    key, events, low, high = none, none, none, none
    found: list[tuple[Index, ...]] = []
    for k in range(deepest, -1, -1):
        leaves = by_level[cuts[k] : cuts[k + 1]]
        next_ = contexts.following[leaves]
        key = np.concatenate([key, tree.leaf_parent[leaves] * size + contexts.token[leaves]])
        order = np.argsort(key, kind="stable")
        key = key[order]
        starts = np.flatnonzero(np.append(True, key[1:] != key[:-1])[: len(key)])
        branches = np.diff(np.append(starts, len(key)))
        columns = ((np.add, events, np.ones_like(leaves)), (np.minimum, low, np.where(next_ < 0, n, next_)))
        events, low = (_reduced(f, np.concatenate([a, b])[order], starts) for f, a, b in columns)
        high = _reduced(np.maximum, np.concatenate([high, next_])[order], starts)
        key = key[starts]
        found.append((key, branches, events, low, high))
        key = tree.parent[key // size] * size + key % size
    key, branches, events, low, high = (np.concatenate(column) for column in zip(*found))
    order = np.argsort(key)
    key, branches, events, low, high = (c[order] for c in (key, branches, events, low, high))
    node = key // size
    to = np.full(len(key), -1 - n)
    goes = np.flatnonzero(high >= 0)
    to[goes] = tree.loci(low[goes], high[goes] + 1)
    # The histories after a context of the greatest length share one token more, and so lie in one node of that length.
    cut = goes[(tree.depth[node[goes]] == longest) & (high[goes] > low[goes])]
    to[cut] = tree.leaf_parent[low[cut]]
    # The first token of a document without x0 follows no history, so the histories of one token are looked up.
    alone = contexts.alone[key[node == 0] % size]
    to[node == 0] = np.where(alone == 0, -1 - n, alone)
    up = np.searchsorted(key, tree.parent[node] * size + key % size)
    up[node == 0] = -1
    return Followers(level, key, branches, events, to, up)


def _reduced(f: np.ufunc, values: Index, starts: Index) -> Index:
    return f.reduceat(values, starts) if len(starts) else values


def _levels(parent: Index) -> Index:
    """Return how many nodes lie above each node, by doubling the distance that is looked up."""
    level = (parent >= 0).astype(np.int64)
    above = np.maximum(parent, 0)
    while above.any():
        level = level + level[above]
        above = above[above]
    return level
