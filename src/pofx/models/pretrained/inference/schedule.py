"""The passes of bounded size into which a prefix tree is cut, with the tokens that each token may attend to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pofx.lm.trace import Ints
from pofx.models.pretrained.inference.prefix_tree import PrefixTree

# A run of an attention group has at least this share of the length of the longest run.
ALIKE = 0.75
# If siblings have at least so many tokens above them, attention reads these tokens once, and does not copy them.
SHARED = 32


@dataclass(frozen=True, eq=False)
class AttentionGroup:
    """Runs of similar length that have the same number of tokens above them.

    Blanks after the shorter runs repeat some row. No query sees a later key, so no query sees a blank, and the outputs of
    blanks are dropped.

    Attributes:
        above: The number of tokens above each run.
        queries: `[g, s]`, the rows of the pass.
        keys: `[g, above + s]`, the rows of the kept tokens and the pass, in order of position.
        siblings: Whether all runs have the same tokens above them.
    """

    above: int
    queries: Ints
    keys: Ints
    siblings: bool


@dataclass(frozen=True, eq=False)
class Pass:
    """N tokens that go through the network together.

    Attributes:
        ids: `[N]`, the ids.
        positions: `[N]`, the positions.
        rows: `[N]`, the places in the tree's stream.
        groups: The groups of attention.
        back: `[N]`, the place of each token among the queries of all groups, end to end.
        keep: The rows of the kept tokens and this pass to which later passes attend.
        known: The places in the tree's stream of the known tokens to which this pass attends.
    """

    ids: Ints
    positions: Ints
    rows: Ints
    groups: tuple[AttentionGroup, ...]
    back: Ints
    keep: Ints
    known: Ints


def schedule_passes(tree: PrefixTree, budget: int, known: Ints | None = None) -> Iterator[Pass]:
    """Yield the tree in preorder, about `budget` tokens a pass; a longer run is cut into several runs.

    Between two passes only the ancestors of the next run are kept, which are the runs of one path. So the budget and the
    longest sequence bound the memory, and the number of sequences does not.

    Args:
        tree: The tree.
        budget: The tokens of a pass.
        known: For each node, the number of tokens at its beginning that no pass computes, since their keys and values are
            known; 0 below a node with other tokens. None for no known tokens.

    Yields:
        The passes. Their rows are numbered in this order: the kept tokens, the known tokens, the tokens of the pass.
    """
    runs = _cut(tree, budget, np.zeros(len(tree.begin), dtype=np.int64) if known is None else known)
    todo = [k for k, run in enumerate(runs) if not run.known]
    kept: dict[int, Ints] = {}  # rows, in the numbering of the pass, of each open run
    n_kept = 0
    start = 0
    while start < len(todo):
        stop, n = start, 0
        while stop < len(todo) and (stop == start or n + runs[todo[stop]].size <= budget):
            n += runs[todo[stop]].size
            stop += 1
        now = todo[start:stop]
        place = n_kept
        found = sorted({a for k in now for a in _ancestors(runs, k) if runs[a].known})
        for k in [*found, *now]:
            kept[k] = np.arange(place, place + runs[k].size)
            place += runs[k].size
        above = place - n
        chains = [np.concatenate([kept[a] for a in [*_ancestors(runs, k)][::-1]]) for k in now]
        groups, back = _groups([runs[k] for k in now], chains, above)
        open_runs = (
            [a for a in _ancestors(runs, todo[stop]) if not runs[a].known][:0:-1] if stop < len(todo) else []
        )
        keep = np.concatenate([np.zeros(0, dtype=np.int64), *(kept[k] for k in open_runs)]).astype(np.int64)
        rows = _stream_rows(runs, now)
        positions = np.concatenate([np.arange(runs[k].depth, runs[k].depth + runs[k].size) for k in now])
        yield Pass(tree.stream[rows], positions, rows, groups, back, keep, _stream_rows(runs, found))
        place, renumbered = 0, {}
        for k in open_runs:
            renumbered[k] = np.arange(place, place + len(kept[k]))
            place += len(kept[k])
        kept, n_kept = renumbered, place
        start = stop


@dataclass(frozen=True)
class _Run:
    begin: int
    size: int
    depth: int
    parent: int
    known: bool = False


def _cut(tree: PrefixTree, budget: int, known: Ints) -> list[_Run]:
    """Return the nodes as runs that are at most as long as the budget; known tokens are a run of any length.

    A parent is a number in this list.
    """
    out: list[_Run] = []
    last: list[int] = []  # the last run of each node
    for begin, size, depth, parent, n in zip(
        tree.begin.tolist(), tree.length.tolist(), tree.depth.tolist(), tree.parent.tolist(), known.tolist()
    ):
        above = last[parent] if parent >= 0 else -1
        if n:
            out.append(_Run(begin, n, depth, above, True))
            above = len(out) - 1
        for at in range(n, size, budget):
            out.append(_Run(begin + at, min(budget, size - at), depth + at, above))
            above = len(out) - 1
        last.append(above)
    return out


def _ancestors(runs: list[_Run], k: int) -> Iterator[int]:
    """Yield a run and all runs above it, from below."""
    while k >= 0:
        yield k
        k = runs[k].parent


def _stream_rows(runs: list[_Run], which: list[int]) -> Ints:
    rows = [np.arange(runs[k].begin, runs[k].begin + runs[k].size) for k in which]
    return np.concatenate([np.zeros(0, dtype=np.int64), *rows]).astype(np.int64)


def _groups(runs: list[_Run], chains: list[Ints], above_pass: int) -> tuple[tuple[AttentionGroup, ...], Ints]:
    """Group runs of similar length that have equally many tokens above them."""
    family = [(r.depth, r.parent if r.depth >= SHARED else -1) for r in runs]
    order = sorted(range(len(runs)), key=lambda k: (family[k], -runs[k].size))
    places = [
        int(c[-r.size]) - above_pass for c, r in zip(chains, runs)
    ]  # the place of a run's first token in the pass
    out: list[AttentionGroup] = []
    back = np.zeros(sum(r.size for r in runs), dtype=np.int64)
    laid = start = 0
    while start < len(order):
        above, longest = runs[order[start]].depth, runs[order[start]].size
        least = longest * ALIKE
        stop = start
        while (
            stop < len(order)
            and family[order[stop]] == family[order[start]]
            and runs[order[stop]].size >= least
        ):
            stop += 1
        members = order[start:stop]
        queries = np.zeros((len(members), longest), dtype=np.int64)
        keys = np.zeros((len(members), above + longest), dtype=np.int64)
        for j, k in enumerate(members):
            size = runs[k].size
            queries[j] = places[k]
            queries[j, :size] += np.arange(size)
            keys[j] = chains[k][-1]
            keys[j, : above + size] = chains[k]
            back[places[k] : places[k] + size] = laid + j * longest + np.arange(size)
        laid += queries.size
        out.append(AttentionGroup(above, queries, keys, above >= SHARED))
        start = stop
    return tuple(out), back
