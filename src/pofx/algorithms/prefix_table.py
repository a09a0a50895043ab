"""A sorted set of code strings, which finds the longest prefix of a query that some string of the set begins with.

Every string has `depth` codes; code 0 pads the end of a shorter string. Codes are packed into 63-bit words, the first
code in the highest bits. For example, 7 codes of 9 bits make one word. So one `np.sort` orders all 7-grams of a text, and
by their prefixes all shorter n-grams. A binary search then finds the longest prefix of a query: the query shares this
prefix with a neighbour of its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

PackedStrings = NDArray[np.uint64]  # [rows, words]
Index = NDArray[np.int64]
Groups = NDArray[np.int32]
# From so many queries on, `PrefixTable.find` sorts them.
_SORTED = 256
Stage = tuple[NDArray[np.uint64], Groups]


@dataclass(frozen=True)
class Packing:
    """The packing of code strings into 63-bit words.

    Attributes:
        bits: The number of bits of a code.
        depth: The number of codes of a string.
    """

    bits: int
    depth: int

    @property
    def per_word(self) -> int:
        """The number of codes in a word."""
        return min(63 // self.bits, self.depth)

    @property
    def words(self) -> int:
        """The number of words of a string."""
        return -(-self.depth // self.per_word)

    def shift(self, place: int) -> np.uint64:
        """Return the number of bits by which the code at `place` of its word is shifted."""
        return np.uint64(self.bits * (self.per_word - 1 - place))

    def pack_columns(self, columns: list[NDArray[np.uint64]]) -> PackedStrings:
        """Pack strings that are given as one array a place into words `[rows, words]`."""
        out = np.zeros((len(columns[0]), self.words), dtype=np.uint64)
        for k, c in enumerate(columns):
            out[:, k // self.per_word] |= c << self.shift(k % self.per_word)
        return out

    def code(self, words: PackedStrings, place: int) -> NDArray[np.uint64]:
        """Read the codes at one place of all strings."""
        mask = np.uint64((1 << self.bits) - 1)
        return (words[:, place // self.per_word] >> self.shift(place % self.per_word)) & mask


def backward_strings(codes: NDArray[np.uint64], packing: Packing) -> PackedStrings:
    """For every position of a sequence, pack its code and the codes before it, the newest first.

    At the first `depth − 1` positions the string ends in code 0, the padding.
    """
    n, m = len(codes), packing.per_word
    out = np.empty((n, packing.words), dtype=np.uint64)
    first, shifted = np.zeros(n, dtype=np.uint64), np.empty(n, dtype=np.uint64)
    for k in range(min(m, n)):
        np.left_shift(codes[: n - k], packing.shift(k), out=shifted[k:])
        first[k:] |= shifted[k:]
    out[:, 0] = first
    for w in range(1, packing.words):
        # A later word is the first word of the position m·w earlier, without the codes beyond the depth.
        out[:, w] = 0
        lag, used = w * m, min(m, packing.depth - w * m)
        drop = np.uint64(packing.bits * (m - used))
        if lag < n:
            out[lag:, w] = (first[: n - lag] >> drop) << drop
    return out


def count_distinct(words: PackedStrings, weights: Index | None = None) -> tuple[PackedStrings, Index]:
    """Sort the distinct strings, and sum the weights of each; without weights, count how often each occurs."""
    if not len(words):
        return words, np.zeros(0, dtype=np.int64)
    if weights is None and words.shape[1] == 1:
        ordered = np.sort(words[:, 0])[:, None]
    else:
        order = np.argsort(words[:, 0]) if words.shape[1] == 1 else np.lexsort(tuple(words.T[::-1]))
        ordered = words[order]
        weights = weights[order] if weights is not None else None
    fresh = np.empty(len(ordered), dtype=bool)
    fresh[0] = True
    np.any(ordered[1:] != ordered[:-1], axis=1, out=fresh[1:])
    starts = np.flatnonzero(fresh)
    ends = np.append(starts, len(ordered))
    sums = np.diff(ends) if weights is None else np.add.reduceat(weights, starts)
    return ordered[starts], sums.astype(np.int64)


def merge_counts(
    a: tuple[PackedStrings, Index], b: tuple[PackedStrings, Index]
) -> tuple[PackedStrings, Index]:
    """Merge two results of `count_distinct` into the result for all their strings."""
    (wide, weights), (narrow, more) = (a, b) if len(a[0]) >= len(b[0]) else (b, a)
    if wide.shape[1] > 1:
        return count_distinct(np.concatenate([wide, narrow]), np.concatenate([weights, more]))
    # With one word, a search and an insertion take a tenth of the time of sorting both again.
    at = np.searchsorted(wide[:, 0], narrow[:, 0])
    known = at < len(wide)
    known[known] = wide[at[known], 0] == narrow[known, 0]
    weights = weights.copy()
    weights[at[known]] += more[known]
    new = ~known
    return np.insert(wide, at[new], narrow[new], axis=0), np.insert(weights, at[new], more[new])


class PrefixTable:
    """A sorted table of distinct strings, whose rows form groups at each level k: rows of a group share k codes.

    The groups of a level are numbered in sorted order; level 0 has one group of all rows.

    Args:
        words: `[rows, w]`, the packed strings, distinct and in rising order.
        packing: The packing of the strings.
        parents: What `parent` returned for the levels 2 … depth of the same strings, such as from a file. By default the
            groups are found from the strings.
        stages: The `outer_stages` of the same strings; needed with `parents` alone.
    """

    def __init__(
        self,
        words: PackedStrings,
        packing: Packing,
        parents: Mapping[int, Groups] | None = None,
        stages: Sequence[Stage] | None = None,
    ) -> None:
        self.words, self.packing, self._given_stages = words, packing, stages
        # `find` returns row 0 where it finds nothing, so level 0 needs this row even in an empty table.
        self._group: dict[int, Groups] = {0: np.zeros(max(len(words), 1), dtype=np.int32)}
        self._first: dict[int, Index] = {0: np.zeros(1, dtype=np.int64)}
        self._parent: dict[int, Groups] = dict(parents or {})
        if parents is not None:
            return
        fresh = np.zeros(len(words), dtype=bool)
        if len(words):
            fresh[0] = True
        for k in range(1, packing.depth + 1):
            w, place = divmod(k - 1, packing.per_word)
            column = words[:, w] >> packing.shift(place)
            fresh = fresh.copy()
            fresh[1:] |= column[1:] != column[:-1]
            self._group[k] = np.cumsum(fresh, dtype=np.int32) - np.int32(1)
            self._first[k] = np.flatnonzero(fresh)

    def __len__(self) -> int:
        return len(self.words)

    def group(self, level: int) -> Groups:
        """Return the group of each row at a level."""
        if level not in self._group:
            above = None if level == self.packing.depth else self._parent[level + 1]
            self._group[level] = (
                np.arange(len(self), dtype=np.int32) if above is None else above[self.group(level + 1)]
            )
        return self._group[level]

    def first(self, level: int) -> Index:
        """Return the first row of each group of a level."""
        if level not in self._first:
            if level == self.packing.depth:
                self._first[level] = np.arange(len(self))
            else:
                starts = np.flatnonzero(np.diff(self._parent[level + 1], prepend=np.int32(-1)))
                self._first[level] = self.first(level + 1)[starts]
        return self._first[level]

    def parent(self, level: int) -> Groups:
        """Return, for each group of a level ≥ 1, the group at the level below that has the group's rows among its own."""
        if level not in self._parent:
            self._parent[level] = self.group(level - 1)[self.first(level)]
        return self._parent[level]

    def groups_of(self, rows: Index) -> list[Groups]:
        """Return the groups of some rows at all levels 0 … depth, which takes no more memory than the rows."""
        depth = self.packing.depth
        if not len(self):
            return [np.zeros(len(rows), dtype=np.int32)] * (depth + 1)
        found = [rows.astype(np.int32)]
        for k in range(depth, 1, -1):
            found.append(self.parent(k)[found[-1]])
        found.append(np.zeros(len(rows), dtype=np.int32))
        return found[::-1]

    def oldest(self, level: int) -> NDArray[np.uint64]:
        """Return the last code of the prefix that each group of a level ≥ 1 shares; 0 where its strings are shorter."""
        return self.packing.code(self.words[self.first(level)], level - 1)

    @cached_property
    def outer_stages(self) -> Sequence[Stage]:
        """For each word but the last, the distinct values after each distinct prefix, and the row of each value."""
        if self._given_stages is not None:
            return self._given_stages
        stages = []
        for w in range(self.packing.words - 1):
            rows = self.first((w + 1) * self.packing.per_word)
            stages.append((np.ascontiguousarray(self.words[rows, w]), rows.astype(np.int32)))
        return stages

    def find(self, queries: PackedStrings) -> tuple[Index, NDArray[np.int8]]:
        """Find the longest prefix of each query that a string of the table begins with.

        Args:
            queries: `[n, w]`, packed strings.

        Returns:
            A row of the table with that prefix, `[n]`, and the length of the prefix in codes, `[n]`. Padding matches
            padding, so the caller must cap the length for a query that ends early.
        """
        n = len(queries)
        row, length = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int8)
        if not len(self.words):
            return row, length
        pk = self.packing
        # Sorted queries read the keys in order: an argsort and a search took 140 ns a query, a search alone 240, with
        # 30,000 queries and 560,000 keys.
        open_ = np.argsort(queries[:, 0]) if n >= _SORTED else np.arange(n)
        # In the last word every row has a value of its own.
        stages = [*self.outer_stages, (self.words[:, -1], None)]
        lo, hi = np.zeros(n, dtype=np.int64), np.full(n, len(stages[0][0]), dtype=np.int64)
        for w, (keys, rows) in enumerate(stages):
            q = queries[open_, w]
            at = np.searchsorted(keys, q) if w == 0 else _search_within(keys, q, lo, hi)
            left, right = np.maximum(at - 1, lo), np.minimum(at, hi - 1)
            a, b = keys[left] ^ q, keys[right] ^ q
            nearer = np.where(a < b, left, right)
            differ = np.minimum(a, b)
            codes_here = min(pk.per_word, pk.depth - w * pk.per_word)
            shared = _leading_codes(differ, pk, codes_here)
            length[open_] += shared
            row[open_] = nearer if rows is None else rows[nearer]
            if rows is not None:
                going = shared == codes_here
                open_, nearer = open_[going], nearer[going]
                lo = rows[nearer].astype(np.int64)
                # The last value ends with the last row.
                hi = np.where(nearer + 1 < len(rows), rows[np.minimum(nearer + 1, len(rows) - 1)], len(self))
                below = stages[w + 1][1]
                if below is not None:
                    # The types are those of `below`, since numpy would copy all of `below` into another type.
                    lo = np.searchsorted(below, lo.astype(np.int32))
                    hi = np.searchsorted(below, hi.astype(np.int32))
        return row, length


def _leading_codes(differ: NDArray[np.uint64], packing: Packing, most: int) -> NDArray[np.int8]:
    """Return how many first codes of a word are 0, at most `most`."""
    # The number of bits, from the exponent of a float. The bits below a 1 are cleared, so that no float is rounded up.
    bits = np.frexp((differ & ~(differ >> np.uint64(1))).astype(np.float64))[1]
    free = packing.bits * packing.per_word - bits
    out: NDArray[np.int8] = np.minimum(free // packing.bits, most).astype(np.int8)
    return out


def _search_within(keys: NDArray[np.uint64], queries: NDArray[np.uint64], lo: Index, hi: Index) -> Index:
    """Compute `searchsorted` of each query within its own range [lo, hi) of keys."""
    lo, hi = lo.copy(), hi.copy()
    while True:
        active = lo < hi
        if not active.any():
            return lo
        mid = (lo + hi) >> 1
        below = active & (keys[np.minimum(mid, len(keys) - 1)] < queries)
        lo = np.where(below, mid + 1, lo)
        hi = np.where(active & ~below, mid, hi)
