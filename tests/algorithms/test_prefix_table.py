"""A prefix table finds the longest prefix that a slow search finds, for few queries and for many."""

from __future__ import annotations

import numpy as np
import pytest

from pofx.algorithms.prefix_table import _SORTED, Packing, PrefixTable, _leading_codes


@pytest.mark.parametrize(("bits", "depth"), [(2, 5), (9, 6), (15, 5), (21, 4), (31, 4)])
@pytest.mark.parametrize("n", [7, _SORTED + 50])
def test_find_is_the_longest_prefix_of_a_slow_search(bits: int, depth: int, n: int) -> None:
    rng = np.random.default_rng(bits)
    packing, top = Packing(bits, depth), min(4, 1 << bits)
    strings = np.unique(rng.integers(1, top, (60, depth)), axis=0).astype(np.uint64)
    words = packing.pack_columns(list(strings.T))
    table = PrefixTable(words[np.lexsort(tuple(words.T[::-1]))], packing)
    kept = np.stack([packing.code(table.words, k) for k in range(depth)], axis=1)
    queries = rng.integers(1, top, (n, depth)).astype(np.uint64)
    row, length = table.find(packing.pack_columns(list(queries.T)))
    for q, r, found in zip(queries, row, length):
        shared = np.cumprod(kept == q, axis=1).sum(axis=1)
        assert found == shared.max()
        assert shared[r] == found


@pytest.mark.parametrize(("bits", "depth"), [(1, 40), (2, 31), (9, 7), (15, 5), (31, 4)])
def test_leading_codes_are_counted_exactly_next_to_powers_of_two(bits: int, depth: int) -> None:
    packing = Packing(bits, depth)
    size = bits * packing.per_word
    numbers = sorted({0, *(1 << k for k in range(size)), *((1 << k) - 1 for k in range(size + 1))})
    differ = np.array(numbers, dtype=np.uint64)
    for most in (1, packing.per_word):
        slow = [sum(x >> int(packing.shift(k)) == 0 for k in range(most)) for x in numbers]
        assert _leading_codes(differ, packing, most).tolist() == slow
