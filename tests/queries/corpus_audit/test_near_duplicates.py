"""Copies and near copies, held against all pairs."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from corpora import documents, edited

from pofx.algorithms.statistics.clusters import (
    Groups,
)
from pofx.algorithms.statistics.shingles import jaccard, minima, shingles
from pofx.queries.corpus_audit.duplicates import count_crossing, largest_groups
from pofx.queries.corpus_audit.near_duplicates import ALIKE, group_exact_copies, group_near_copies


def brute_shingles(text: str) -> set[str]:
    plain = " ".join(text.casefold().split()).ljust(5, "\0")
    return {plain[i : i + 5] for i in range(len(plain) - 4)}


def test_shingles_are_the_substrings() -> None:
    some = ["Time  flies", "", "ab", "abcde", "Ünïcödé 漢字漢字漢字", *documents(20, 6)]
    flat = list(shingles(some))
    assert len(flat) == 1
    hashes, offsets = flat[0]
    named: dict[str, int] = {}
    for k, text in enumerate(some):
        plain = " ".join(text.casefold().split()).ljust(5, "\0")
        mine = hashes[int(offsets[k]) : int(offsets[k + 1])]
        assert len(mine) == len(plain) - 4
        for i, h in enumerate(mine.tolist()):
            assert named.setdefault(plain[i : i + 5], h) == h
    assert len(set(named.values())) == len(named)


def test_minima_estimate_the_jaccard_similarity() -> None:
    some = documents(2, 7, words=60)
    words = some[0].split()
    for cut in (0, 10, 30, 60):
        other = " ".join([*words[cut:], *some[1].split()[:cut]])
        exact = len(brute_shingles(some[0]) & brute_shingles(other)) / len(
            brute_shingles(some[0]) | brute_shingles(other)
        )
        assert jaccard(some[0], other) == pytest.approx(exact)
        rows = minima([some[0], other], 2000)
        assert (rows[0] == rows[1]).mean() == pytest.approx(exact, abs=5 * 0.5 / math.sqrt(2000))


def test_near_groups_are_those_of_all_pairs() -> None:
    rng = np.random.default_rng(8)
    some = documents(60, 9, words=40)
    some += [edited(t, changes, rng) for t in some[:20] for changes in (1, 2, 6, 12)]
    some += [some[3], "", "", "a", "A"]
    groups = Groups(len(some))
    for i, j in itertools.combinations(range(len(some)), 2):
        if some[i] == some[j] or jaccard(some[i], some[j]) >= ALIKE:
            groups.join(i, j)
    expected = groups.labels()
    assert len(np.unique(expected)) < len(some) - 20
    assert group_near_copies(some).tolist() == expected.tolist()
    assert group_near_copies([]).tolist() == []


def test_a_crowd_of_copies_is_one_group() -> None:
    base = documents(1, 10, words=200)[0]
    some = [f"{base} {k}" for k in range(300)] + documents(5, 11)
    assert group_near_copies(some).tolist() == [0] * 300 + [300, 301, 302, 303, 304]


def test_copies_across_the_split_are_counted_on_the_held_out_side() -> None:
    groups = group_exact_copies(["a", "b", "a", "c", "c", "b", "b"])
    assert groups.tolist() == [0, 1, 0, 3, 3, 1, 1]
    held_out = np.array([False, False, True, True, True, False, True])
    assert count_crossing(groups, held_out) == 2  # the third a, the last b; both c are held out
    assert [g.tolist() for g in largest_groups(groups, 2)] == [[1, 5, 6], [0, 2]]
