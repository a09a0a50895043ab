"""What a document tells of the next one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from corpora import corpus, documents, finding

import pofx
from pofx.queries.corpus_audit.neighbours import STRENGTHS, cache_gain, choose_neighbour_pairs
from toy import ToyLM, log_string


def cached_row(
    lm: ToyLM, before: tuple[int, ...], prefix: tuple[int, ...], mu: float, context: int
) -> np.ndarray:
    """The law that `cache_gain` speaks of, outcome by outcome."""
    row = np.exp(lm.row(prefix))
    pad = (lm.vocab.size,) * context
    seen, mine = [*pad, *before], [*pad, *prefix][-context:]
    counts = np.zeros(lm.vocab.size)
    for i, v in enumerate(before):
        if seen[i : i + context] == mine:
            counts[v] += 1
    return (counts + mu * row) / (counts.sum() + mu)


def test_the_gain_of_a_neighbour_is_one_of_distributions() -> None:
    lm = ToyLM(seed=4)
    end = lm.vocab.end
    assert end is not None
    befores = [(0, 1, 2, 0, 1, 2, 0, 1), (1, 1, 1, 1), ()]
    behind = [(0, 1, 2, 0, 1), (2, 2), (), (1, 1, 1, 1, 1)]
    paths = [np.array([*y, end]) for y in behind]
    logp = [lm.forward([p]).logp[0] for p in paths]
    for k, x in enumerate(befores):
        gain = cache_gain(lm, [np.array(x, dtype=np.int64)], paths, logp)[0]
        for j, y in enumerate(behind):
            each = []
            for mu in STRENGTHS:
                total = 0.0
                for i, v in enumerate([*y, end]):
                    row = cached_row(lm, x, y[:i], mu, 4)
                    assert row.sum() == pytest.approx(1, abs=1e-12)
                    total += math.log(row[v])
                each.append(math.exp(total))
            plain = math.exp(log_string(lm, y))
            exact = math.log(0.5 * plain + 0.5 * sum(each) / len(each)) - math.log(plain)
            assert gain[j] == pytest.approx(exact, abs=1e-10), (k, j)
            assert gain[j] >= -math.log(2) - 1e-12


def test_the_gain_sees_what_neighbours_share() -> None:
    rng = np.random.default_rng(15)
    some = []
    for _ in range(60):
        name = "".join(rng.choice(list("bcdfgklmnprst"), 9))
        some += [f"A letter from {name} came.", f"Nobody answered {name} for years."]
    report = pofx.corpus_report(some, held_out=0.4)
    found = finding(report, "neighbours say nothing")
    assert found.verdict == "fail"
    assert found.value is not None
    assert found.value > 0.3
    order = rng.permutation(len(some))
    fair = pofx.corpus_report([some[i] for i in order], held_out=0.4)
    assert finding(fair, "neighbours say nothing").verdict == "pass"


def test_pairs_are_disjoint_neighbours_of_one_file() -> None:
    some = corpus(documents(40, 16), held_out=0.5, source=[0] * 20 + [1] * 20)
    pairs = choose_neighbour_pairs(some, 100, 0, True)
    used = [*pairs.tolist(), *(pairs - 1).tolist()]
    assert len(pairs) >= 5
    assert len(set(used)) == len(used)
    assert all(some.held_out[i] and some.source[i] == some.source[i - 1] for i in pairs)
    assert len(choose_neighbour_pairs(some, 3, 0, True)) == 3
