"""The suffix array and the suffix tree against their definitions, on random texts of few letters."""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
import pytest

from pofx.algorithms.suffix_array import suffix_array, suffix_array_by_doubling
from pofx.algorithms.suffix_tree import suffix_tree


def random_texts() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    some = [rng.integers(0, rng.integers(1, 4), size=rng.integers(1, 50)) for _ in range(150)]
    return [*some, np.array([5]), np.zeros(300, dtype=np.int64), rng.integers(0, 100_000, 2000)]


def sorted_suffixes(text: list[int]) -> tuple[list[int], list[int]]:
    order = sorted(range(len(text)), key=lambda i: text[i:])
    shared = [0]
    for i, j in pairwise(order):
        k = 0
        while max(i, j) + k < len(text) and text[i + k] == text[j + k]:
            k += 1
        shared.append(k)
    return order, shared


@pytest.mark.parametrize("sort", [suffix_array, suffix_array_by_doubling])
def test_suffixes_are_sorted_and_the_shared_lengths_are_right(sort):
    for text in random_texts():
        order, shared = sort(text)
        right = sorted_suffixes(text.tolist())
        assert (order.tolist(), shared.tolist()) == right, text


def test_an_empty_text_has_no_suffixes():
    assert [len(a) for a in suffix_array(np.zeros(0, dtype=np.int64))] == [0, 0]


def test_without_the_library_the_arrays_are_the_same(monkeypatch):
    text = np.random.default_rng(2).integers(0, 3, 500)
    with_library = suffix_array(text)
    monkeypatch.setitem(sys.modules, "pydivsufsort", None)
    for a, b in zip(suffix_array(text), with_library):
        np.testing.assert_array_equal(a, b)


def test_nodes_are_the_ranges_that_share_a_prefix():
    for text in random_texts()[:150]:
        order, shared = sorted_suffixes(text.tolist())
        n = len(order)
        ranges = {(0, n, 0)}
        for i in range(1, n):
            lo, hi = i, i
            while lo > 0 and shared[lo] >= shared[i]:
                lo -= 1
            while hi < n and shared[hi] >= shared[i]:
                hi += 1
            ranges.add((lo, hi, shared[i]))
        tree = suffix_tree(np.array(shared))
        found = list(zip(tree.left.tolist(), tree.right.tolist(), tree.depth.tolist()))
        assert set(found) == ranges
        assert len(found) == len(ranges)

        def around(lo: int, hi: int, depth: int, ranges: set = ranges) -> tuple[int, int, int]:
            return max((r for r in ranges if r[0] <= lo and hi <= r[1] and r[2] < depth), key=lambda r: r[2])

        for v, (lo, hi, depth) in enumerate(found[1:], 1):
            assert found[tree.parent[v]] == around(lo, hi, depth)
        for i in range(n):
            assert found[tree.leaf_parent[i]] == around(i, i + 1, n + 1)
        inner = np.flatnonzero(
            (tree.right - tree.left > 1) & ((tree.depth > 0) | (tree.right - tree.left < n))
        )
        assert (tree.loci(tree.left[inner], tree.right[inner]) == inner).all()
        assert (tree.loci(np.arange(n), np.arange(n) + 1) == -1 - np.arange(n)).all()


def test_a_long_run_of_one_number_needs_few_rounds():
    tree = suffix_tree(suffix_array(np.zeros(200_000, dtype=np.int64))[1])
    assert len(tree.depth) == 200_000
