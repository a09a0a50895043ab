"""Permutation tests: p-values are uniform under the null, and documents that drift are found."""

from __future__ import annotations

import math

import numpy as np
from corpora import WORDS, corpus, documents

from pofx.algorithms.statistics.permutation import p_value, paired_p_value
from pofx.queries.corpus_audit.exchangeability import (
    LEVEL,
    choose_runs,
    hashed_vectors,
    order_finding,
    order_test,
)


def test_p_values_are_uniform_under_the_null() -> None:
    rng = np.random.default_rng(0)
    follows = np.arange(12) > 0
    found = [order_test(rng.normal(size=(12, 3)), follows, 19, rng)[2] for _ in range(1000)]
    cells = np.bincount(np.round(np.array(found) * 20).astype(int), minlength=21)
    assert cells[0] == 0  # never 0: the order that was found is one of the orders
    chi = float(np.sum((cells[1:] - 50) ** 2 / 50))
    assert chi < 19 + 4 * math.sqrt(38)


def test_paired_p_values_are_uniform_under_the_null() -> None:
    rng = np.random.default_rng(1)
    found = [paired_p_value(rng.normal(size=(8, 8)), 19, rng)[2] for _ in range(1000)]
    cells = np.bincount(np.round(np.array(found) * 20).astype(int), minlength=21)
    chi = float(np.sum((cells[1:] - 50) ** 2 / 50))
    assert cells[0] == 0
    assert chi < 19 + 4 * math.sqrt(38)


def test_ties_count_against_the_finding() -> None:
    assert p_value(1.0, np.ones(9)) == 1.0
    assert p_value(1.0, np.zeros(9)) == 0.1
    assert order_test(np.ones((5, 2)), np.arange(5) > 0, 19, np.random.default_rng(0))[2] == 1.0


def test_documents_that_drift_are_not_exchangeable_and_shuffled_ones_are() -> None:
    rng = np.random.default_rng(2)
    drift = [" ".join(rng.choice(WORDS[i // 8 : i // 8 + 16], 12)) for i in range(120)]
    assert order_finding(corpus(drift), 0).verdict == "fail"
    mixed = [drift[i] for i in rng.permutation(120)]
    fair = order_finding(corpus(mixed), 0)
    assert fair.verdict == "pass"
    assert fair.value is not None
    assert fair.value > LEVEL


def test_neighbours_across_files_are_none() -> None:
    two = corpus(documents(6, 0), source=[0, 0, 0, 1, 1, 1])
    assert two.follows.tolist() == [False, True, True, False, True, True]
    assert order_finding(two, 0).value is None  # too few


def test_a_large_corpus_is_tested_on_runs() -> None:
    some = documents(5000, 4, words=2)
    assert order_finding(corpus(some), 0).verdict == "pass"
    at, follows = choose_runs(corpus(some), np.random.default_rng(0))
    assert len(at) == len(set(at.tolist())) == 4096
    assert follows.sum() == 4096 - 64
    assert all(at[k] == at[k - 1] + 1 for k in np.flatnonzero(follows))
    # What only neighbours within a run share is still seen.
    twins = [t for pair in zip(some[:2500], some[:2500]) for t in pair]
    assert order_finding(corpus(twins), 0).verdict == "fail"


def test_hashed_vectors_keep_inner_products() -> None:
    some = [*documents(30, 5), "", "x"]
    vectors = hashed_vectors(some)
    assert vectors.shape == (32, 128)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.allclose(hashed_vectors(["same"] * 4), 0)
