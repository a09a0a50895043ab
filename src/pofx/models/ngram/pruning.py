"""Pruning by count: n-grams that are rare are left out of a model, whose next-token distributions still sum to 1.

An n-gram of length k is left out if it was an event at most as often as the threshold of k. The whole count of such an
n-gram is a discount, so the shorter history gets the mass (`smoothing`). This module removes the n-grams from the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.prefix_table import Groups, PackedStrings, Packing, PrefixTable
from pofx.models.ngram.smoothing import Histories, Levels

Flags = NDArray[np.bool_]

# The numbers of a group of padding, which nothing reads: an end of a shorter n-gram.
PADDING_PROB, PADDING_WEIGHT = 0.0, 1.0


@dataclass(frozen=True, eq=False)
class Piece:
    """The rows that a stretch of a table keeps.

    Attributes:
        words: `[m, w]`, the kept strings, cut after their kept codes.
        fresh: For each level, the places in `words` of the strings with which a new group begins, `[new groups]`.
        source: For each level, the group in the uncut table of each new group, `[new groups]`; −1 for padding.
        parent: For each level, the number of the new group one level below, `[new groups]`.
    """

    words: PackedStrings
    fresh: dict[int, NDArray[np.int64]]
    source: dict[int, NDArray[np.int64]]
    parent: dict[int, Groups]


class Compaction:
    """The rows of a sorted table are cut to what is kept, stretch by stretch. Local to one table.

    Args:
        packing: The packing of the strings.
        kept: For each level k ≥ 1, whether each group is kept. The group of a kept group at the level below is kept.
        inner: For each level k ≥ 1, whether each group has a kept group at the level above.
    """

    def __init__(self, packing: Packing, kept: dict[int, Flags], inner: dict[int, Flags]) -> None:
        self.packing, self.kept, self.inner = packing, kept, inner
        # Masks of the codes that a string of each depth keeps, one number a word.
        full = [np.full(1, (1 << packing.bits) - 1, dtype=np.uint64)] * packing.depth
        none = [np.zeros(1, dtype=np.uint64)] * packing.depth
        self._masks = np.concatenate(
            [packing.pack_columns([*full[:d], *none[d:]]) for d in range(packing.depth + 1)]
        )
        self._last_groups = np.full(packing.depth + 1, -1, dtype=np.int64)
        self._last_words: PackedStrings = np.zeros((0, packing.words), dtype=np.uint64)
        self._groups = [1] + [0] * packing.depth

    def cut(self, words: PackedStrings, groups: Sequence[NDArray[np.integer]]) -> Piece:
        """Return what the next rows keep.

        Args:
            words: `[n, w]`, the strings of the rows.
            groups: For each level 0 … depth, the group of each row, `[n]`.

        Returns:
            The kept rows, whose groups are numbered on from those of earlier calls.
        """
        depth = np.zeros(len(words), dtype=np.int64)
        leaf = np.zeros(len(words), dtype=bool)
        for k in range(1, self.packing.depth + 1):
            here = self.kept[k][groups[k]]
            depth += here
            first = np.diff(groups[k], prepend=self._last_groups[k]) != 0
            # A row ends at level k if its group at k is kept, no longer group is, and the row is the first of the group.
            leaf |= here & ~self.inner[k][groups[k]] & first
        self._last_groups = np.array([g[-1] for g in groups], dtype=np.int64)
        at = np.flatnonzero(leaf)
        depth = depth[at]
        out = words[at] & self._masks[depth]
        return self._grouped(out, depth, [g[at] for g in groups])

    def _grouped(
        self, words: PackedStrings, depth: NDArray[np.int64], groups: Sequence[NDArray[np.integer]]
    ) -> Piece:
        both = np.concatenate([self._last_words, words])
        new = np.zeros(len(words), dtype=bool)
        new[: 1 - len(self._last_words)] = True  # the first row of the table
        below = np.zeros(len(words), dtype=np.int64)
        piece = Piece(words, {}, {}, {})
        for k in range(1, self.packing.depth + 1):
            w, place = divmod(k - 1, self.packing.per_word)
            column = both[:, w] >> self.packing.shift(place)
            new[1 - len(self._last_words) :] |= column[1:] != column[:-1]
            at = np.flatnonzero(new)
            piece.fresh[k] = at
            piece.source[k] = np.where(depth[at] >= k, groups[k][at], -1).astype(np.int64)
            piece.parent[k] = below[at].astype(np.int32)
            below = self._groups[k] - 1 + np.cumsum(new)
            self._groups[k] += len(at)
        if len(words):
            self._last_words = words[-1:]
        return piece


def prune_table(table: PrefixTable, levels: Levels) -> tuple[PrefixTable, Levels]:
    """Make a table that has only the n-grams that are `seen`, and their histories and suffixes.

    Args:
        table: The distinct n-grams of the full order.
        levels: The numbers of all n-grams.

    Returns:
        The smaller table, and the numbers of its n-grams.
    """
    order = table.packing.depth
    kept = {k: levels.seen[k].copy() for k in range(1, order + 1)}
    inner = {k: np.zeros(len(kept[k]), dtype=bool) for k in range(1, order + 1)}
    kept[1][:] = True  # all tokens, and x0, which no event has
    for k in range(order, 1, -1):
        mark(kept[k], levels.history[k], table.parent(k), levels.seen[k], kept[k - 1], inner[k - 1])
    piece = Compaction(table.packing, kept, inner).cut(table.words, table.groups_of(np.arange(len(table))))
    small = PrefixTable(piece.words, table.packing)
    out = Levels(
        {0: levels.prob[0]},
        {0: levels.weight[0]},
        Histories(small),
        {},
        levels.chain,
        levels.discounts,
    )
    for k in range(1, order + 1):
        source = piece.source[k]
        out.prob[k] = np.where(source < 0, PADDING_PROB, levels.prob[k][source])
        out.seen[k] = (source >= 0) & levels.seen[k][source]
        if k < order:
            out.weight[k] = np.where(source < 0, PADDING_WEIGHT, levels.weight[k][source])
    return small, out


def mark(
    kept: Flags,
    history: NDArray[np.integer],
    parent: NDArray[np.integer],
    seen: Flags,
    kept_below: Flags,
    inner_below: Flags,
) -> None:
    """Mark, at the level below, the histories of n-grams that are seen, and the groups of n-grams that are kept.

    Args:
        kept: Whether each n-gram of some length k is kept, `[n]`.
        history: The group at level k − 1 of the history of each n-gram, `[n]`.
        parent: The group at level k − 1 of the k − 1 newest tokens of each n-gram, `[n]`.
        seen: Whether each n-gram is `seen`, `[n]`.
        kept_below: Whether each group at level k − 1 is kept; written here.
        inner_below: Whether each group at level k − 1 has a kept group at level k; written here.
    """
    kept_below[history[seen]] = True
    kept_below[parent[kept]] = True
    inner_below[parent[kept]] = True
