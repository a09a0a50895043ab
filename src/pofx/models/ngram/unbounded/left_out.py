"""What a model without one event of its training text says of this event: the paths from which weights are estimated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pofx.algorithms.suffix_array import Index
from pofx.models.ngram.smoothing import Probs
from pofx.models.ngram.unbounded.buckets import buckets
from pofx.models.ngram.unbounded.contexts import Contexts
from pofx.models.ngram.unbounded.followers import Followers
from pofx.models.ngram.unbounded.table import ContextTable


@dataclass(frozen=True, eq=False)
class Stage:
    """One step of many paths from the longest context towards the empty context; each array is `[events of the step]`.

    Attributes:
        event: The place in the sample of each event whose path has this step.
        bucket: The kind of the context of each event.
        branches: The share of branches that the token of the event has after the context, 0 to 1.
        events: The share of events that the token of the event has after the context, 0 to 1.
    """

    event: Index
    bucket: Index
    branches: Probs
    events: Probs


def left_out_paths(
    contexts: Contexts, followers: Followers, table: ContextTable, sample: Index
) -> Iterator[Stage]:
    """Yield the steps of the paths of some events, where each path leaves its own event out of all counts.

    A model without the event has the parent of the history as the longest context. If the parent had only two children, this
    model has no such context, and the history matches a part of the way to the other child. The event was one branch of the
    parent. The event was a branch of the next shorter context, too, if no other event gave the parent the same token, and so
    on.

    Args:
        contexts: The histories.
        followers: The pairs of contexts and tokens.
        table: The table of the same pairs.
        sample: The histories of the events, `[n]`.

    Yields:
        The steps, from the longest contexts to the empty context.
    """
    tree, at = contexts.tree, np.arange(len(sample))
    token, node = contexts.token[sample], tree.leaf_parent[sample]
    other, lone = _siblings(contexts, node, sample)
    pair = table.find(node, token)
    gone = np.ones(len(sample), dtype=bool)
    single = at[lone & (other < 0)]
    if len(single):
        same = contexts.token[-1 - other[single]] == token[single]
        one, length = np.ones(len(single), dtype=np.int64), tree.depth[node[single]]
        beyond = length - table.length_above(node[single])
        yield Stage(single, buckets(one, one, length, beyond), same.astype(float), same.astype(float))
        gone[single] = ~same
    inner = at[lone & (other >= 0)]
    if len(inner):
        sibling, length = other[inner], tree.depth[node[inner]]
        own = table.find(sibling, token[inner])
        kind = buckets(
            table.all_branches[sibling],
            np.diff(table.first)[sibling],
            length,
            length - table.length_above(node[inner]),
        )
        yield Stage(inner, kind, *table.shares(sibling, own))
        gone[inner] = own < 0
    pair = np.where(lone, followers.up[pair], pair)
    node = np.where(lone, tree.parent[node], node)
    going = at[node >= 0]
    while len(going):
        here, its = node[going], pair[going]
        stage, gone[going] = _without(table, going, here, its, gone[going])
        yield stage
        pair[going], node[going] = followers.up[its], tree.parent[here]
        going = going[node[going] >= 0]


def _siblings(contexts: Contexts, node: Index, sample: Index) -> tuple[Index, Index]:
    """Return the other child of the parent of each history, `[n]`, and whether the parent has exactly two children, `[n]`.

    A child is a node, or −1 − i for history i. The root never counts as a parent of two.
    """
    tree, n = contexts.tree, len(contexts.token)
    inner = np.arange(1, len(tree.depth))
    children = np.bincount(tree.leaf_parent, minlength=len(tree.depth))
    children += np.bincount(tree.parent[1:], minlength=len(tree.depth))
    # The sum of two children less the one is the other. Sums of large numbers would lose digits as float64 beyond 2^53.
    total = np.bincount(tree.leaf_parent, -1.0 - np.arange(n), len(tree.depth))
    total += np.bincount(tree.parent[1:], inner, len(tree.depth))
    lone = (children[node] == 2) & (node > 0)
    return np.where(lone, total[node] + 1 + sample, 0).astype(np.int64), lone


def _without(
    table: ContextTable, event: Index, node: Index, pair: Index, gone: np.ndarray
) -> tuple[Stage, np.ndarray]:
    """Return the step of events at their nodes, with their own counts left out.

    Args:
        table: The table.
        event: The place in the sample of each event, `[m]`.
        node: The context of each event, `[m]`.
        pair: The pair of the context and the token of each event, `[m]`.
        gone: Whether the child on the path loses the token with the event, so that the context loses a branch, `[m]`.

    Returns:
        The step, and whether the context itself loses the token, `[m]`.
    """
    one = gone.astype(np.int64)
    count, total = table.branches[pair].astype(np.int64), table.all_branches[node]
    row = table.discounts[table.discount_class[node]]
    at = np.arange(len(node))
    cut, cut_left = row[at, np.minimum(count, 3)], row[at, np.minimum(count - one, 3)]
    left = count - one
    kept = table.kept[node] - (count - cut) + (left - cut_left)
    types = np.diff(table.first)[node] - (left == 0)
    length = table.depth[node].astype(np.int64)
    kind = buckets(total - one, types, length, length - table.length_above(node))
    with np.errstate(divide="ignore", invalid="ignore"):
        branches = np.where(left > 0, (left - cut_left) / kept, 0.0)
        rest = table.all_events[node] - 1
        events = np.where(rest > 0, (table.events[pair] - 1) / rest, 0.0)
    return Stage(event, kind, branches, events), gone & (left == 0)
