"""A prefix tree cut into passes of bounded size: which tokens go together, and what each may attend to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pofx.lm.trace import Ints
from pofx.models.pretrained.inference.prefix_tree import PrefixTree

# Runs laid side by side for attention may be so much shorter than the longest of them.
ALIKE = 0.75
# From so many tokens on, what siblings have above them is looked at once for all of them, and not copied for each.
SHARED = 32


@dataclass(frozen=True, eq=False)
class AttentionGroup:
    """Runs that attend alike: after `above` tokens each, of at most `longest` tokens.

    queries: `[g, s]` rows of the pass. keys: `[g, above + s]` rows of what was kept and the pass, in order of
    position. Blanks, after the shorter runs, repeat some row: no query looks ahead, so none sees a blank key, and
    what blank queries see is dropped. siblings: whether all have the same tokens above them.
    """

    above: int
    queries: Ints
    keys: Ints
    siblings: bool


@dataclass(frozen=True, eq=False)
class Pass:
    """N tokens that go through the network together.

    ids, positions, rows: `[N]`; rows: of the tree's stream. groups: for attention. back: `[N]`, where each token
    is among the groups' queries, laid end to end. keep: rows of (kept before, this pass) that later ones attend to.
    """

    ids: Ints
    positions: Ints
    rows: Ints
    groups: tuple[AttentionGroup, ...]
    back: Ints
    keep: Ints


def schedule_passes(tree: PrefixTree, budget: int) -> Iterator[Pass]:
    """Yield the tree in preorder, about `budget` tokens a pass; a longer run is cut into several.

    Between two passes only the ancestors of what comes next are kept, the runs of one path: memory is bounded by the
    budget and the longest sequence, however many sequences there are.
    """
    runs = _cut(tree, budget)
    kept: dict[int, Ints] = {}  # rows, in the numbering of the pass, of each open run
    n_kept = 0
    start = 0
    while start < len(runs):
        stop, n = start, 0
        while stop < len(runs) and (stop == start or n + runs[stop].size <= budget):
            n += runs[stop].size
            stop += 1
        place = n_kept
        for k in range(start, stop):
            kept[k] = np.arange(place, place + runs[k].size)
            place += runs[k].size
        chain: dict[int, Ints] = {}
        for k in range(start, stop):
            chain[k] = np.concatenate([np.zeros(0, dtype=np.int64), *_chain(runs, kept, k)])
        now = runs[start:stop]
        groups, back = _groups(now, [chain[k] for k in range(start, stop)], n_kept)
        open_runs: list[int] = []
        node = runs[stop].parent if stop < len(runs) else -1
        while node >= 0:
            open_runs.append(node)
            node = runs[node].parent
        open_runs.reverse()
        keep = np.concatenate([np.zeros(0, dtype=np.int64), *(kept[k] for k in open_runs)]).astype(np.int64)
        rows = np.concatenate([np.arange(r.begin, r.begin + r.size) for r in now])
        positions = np.concatenate([np.arange(r.depth, r.depth + r.size) for r in now])
        yield Pass(tree.stream[rows], positions, rows, groups, back, keep)
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


def _cut(tree: PrefixTree, budget: int) -> list[_Run]:
    """Return the nodes, none longer than the budget; parents are numbers in this list."""
    out: list[_Run] = []
    last: list[int] = []  # of each node, its last run
    for begin, size, depth, parent in zip(
        tree.begin.tolist(), tree.length.tolist(), tree.depth.tolist(), tree.parent.tolist()
    ):
        above = last[parent] if parent >= 0 else -1
        for at in range(0, size, budget):
            out.append(_Run(begin + at, min(budget, size - at), depth + at, above))
            above = len(out) - 1
        last.append(above)
    return out


def _chain(runs: list[_Run], kept: dict[int, Ints], k: int) -> list[Ints]:
    rows = []
    while k >= 0:
        rows.append(kept[k])
        k = runs[k].parent
    return rows[::-1]


def _groups(runs: list[_Run], chains: list[Ints], n_kept: int) -> tuple[tuple[AttentionGroup, ...], Ints]:
    """Runs after equally many tokens and of like length go together."""
    family = [(r.depth, r.parent if r.depth >= SHARED else -1) for r in runs]
    order = sorted(range(len(runs)), key=lambda k: (family[k], -runs[k].size))
    places = [int(c[-r.size]) - n_kept for c, r in zip(chains, runs)]  # of a run's first token in the pass
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
