"""Accumulators over blocks of the vocabulary, each alone, against the dense definition in float64 over whole rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from pofx.models.pretrained.inference.accumulators import (  # noqa: E402
    Entropy,
    FaintMasses,
    LogSumExp,
    Masses,
    Pairs,
    Ranks,
    Targets,
    Top,
)

# Numbers that are exact in float32, with ties, and with −∞ as a bias makes it.
LOGITS = st.sampled_from([-np.inf, -30.0, -2.5, -1.0, 0.0, 0.25, 0.25, 3.0, 88.0])


@st.composite
def rows(draw: st.DrawFn) -> np.ndarray:
    """`[m, V]` of logits; in each row one is a number."""
    m, size = draw(st.integers(1, 4)), draw(st.integers(1, 11))
    z = np.array(draw(st.lists(st.lists(LOGITS, min_size=size, max_size=size), min_size=m, max_size=m)))
    z[:, draw(st.integers(0, size - 1))] = 1.5
    return z


CUTS = st.lists(st.integers(1, 10), unique=True, max_size=4)


def blocks(z: np.ndarray, cuts: list[int]) -> Iterator[tuple[torch.Tensor, int]]:
    """The columns of each block, and the id of its first one."""
    edges = [0, *sorted(c for c in cuts if c < z.shape[1]), z.shape[1]]
    for lo, hi in pairwise(edges):
        yield torch.tensor(z[:, lo:hi], dtype=torch.float32), lo


def log_softmax(z: np.ndarray) -> np.ndarray:
    return z - np.logaddexp.reduce(z, axis=1, keepdims=True)


@settings(max_examples=60, deadline=None)
@given(rows(), CUTS, st.booleans())
def test_log_sum_exp(z: np.ndarray, cuts: list[int], keep: bool) -> None:
    found = LogSumExp(len(z))
    for logits, first in blocks(z, cuts):
        before = logits.clone()
        block = found.add(logits, first, keep=keep)
        assert (block.logits is None) != keep
        assert not keep or torch.equal(logits, before)
        assert float(block.weights.max()) <= 1.0
    assert found.result().tolist() == pytest.approx(np.logaddexp.reduce(z, axis=1), abs=2e-6)


@settings(max_examples=60, deadline=None)
@given(rows(), CUTS)
def test_entropy(z: np.ndarray, cuts: list[int]) -> None:
    normaliser = LogSumExp(len(z))
    found = Entropy(normaliser)
    for logits, first in blocks(z, cuts):
        found.add(normaliser.add(logits, first, keep=True))
    logp = log_softmax(z)
    right = -np.sum(np.where(np.isneginf(logp), 0.0, np.exp(logp) * np.maximum(logp, -1e9)), axis=1)
    assert found.result().tolist() == pytest.approx(right, abs=2e-5)  # a logit of 88 has an ulp of 7.6e-6


@settings(max_examples=60, deadline=None)
@given(rows(), CUTS, st.data())
def test_masses(z: np.ndarray, cuts: list[int], data: st.DataObject) -> None:
    sets = np.array(
        data.draw(st.lists(st.lists(st.booleans(), min_size=11, max_size=11), min_size=1, max_size=3))
    )
    sets = sets[:, : z.shape[1]]
    normaliser = LogSumExp(len(z))
    found, faint = Masses(normaliser, torch.from_numpy(sets)), FaintMasses(len(z), torch.from_numpy(sets))
    for logits, first in blocks(z, cuts):
        faint.add(logits, first)
        found.add(normaliser.add(logits, first))
    logp = log_softmax(z)
    right = np.array([[np.logaddexp.reduce(row[s], initial=-np.inf) for s in sets] for row in logp])
    strong = right > -60  # below, sums of float32 exponentials lose digits, and `FaintMasses` does not
    assert found.result().numpy()[strong] == pytest.approx(right[strong], abs=1e-5)
    assert (found.result().numpy()[~strong] < -59).all()
    assert (faint.result() - normaliser.result()[:, None]).numpy() == pytest.approx(right, abs=2e-6)


@settings(max_examples=80, deadline=None)
@given(rows(), CUTS, st.data())
def test_targets_and_ranks(z: np.ndarray, cuts: list[int], data: st.DataObject) -> None:
    """Any pairs in any order, repeats and first and last ids of blocks among them."""
    m, size = z.shape
    asked = data.draw(st.lists(st.tuples(st.integers(0, m - 1), st.integers(0, size - 1)), max_size=9))
    edges = [c + k for c in cuts for k in (-1, 0) if c < size]
    asked += [(0, k) for k in (0, size - 1, *edges)]
    row, ids = np.array(asked, dtype=np.int64).T
    pairs = Pairs(row, ids)
    targets = Targets(pairs)
    ranks = Ranks(pairs, torch.tensor(z, dtype=torch.float32)[pairs.row, pairs.ids])
    for logits, first in blocks(z, cuts):
        targets.add(logits, first)
        ranks.add(logits, first)
    assert targets.result().tolist() == [z[r, i] for r, i in asked]
    assert ranks.result().tolist() == [1 + int((z[r] > z[r, i]).sum()) for r, i in asked]


@settings(max_examples=80, deadline=None)
@given(rows(), CUTS, st.integers(1, 13))
def test_top(z: np.ndarray, cuts: list[int], k: int) -> None:
    """Equal logits may come in any order, each token once."""
    found = Top(len(z), k)
    for logits, first in blocks(z, cuts):
        found.add(logits, first)
    ids, logits = (t.numpy() for t in found.result())
    assert logits.tolist() == (-np.sort(-z, axis=1)[:, :k]).tolist()
    assert (np.take_along_axis(z, ids, axis=1) == logits).all()
    assert all(len(set(row)) == len(row) for row in ids.tolist())


def test_the_rank_of_a_token_is_by_its_own_block() -> None:
    """The logit told beforehand is a little low, as by another product: the token does not outrank itself."""
    z = np.array([[1.0, 2.0, 3.0]])
    pairs = Pairs(np.array([0]), np.array([2]))
    found = Ranks(pairs, torch.tensor([3.0 - 1e-6]))
    for logits, first in blocks(z, [2]):
        found.add(logits, first)
    assert found.result().tolist() == [1]


@pytest.mark.parametrize("damaged", [np.nan, np.inf])
@pytest.mark.parametrize("where", [0, 3, 5])
def test_what_is_no_number_stays_none(damaged: float, where: int) -> None:
    """A row with nan or +∞ anywhere has no log-sum-exp, so that `Trace` refuses it; the other rows are sound."""
    z = np.zeros((3, 6))
    z[1, where] = damaged
    normaliser = LogSumExp(3)
    entropy, masses = Entropy(normaliser), Masses(normaliser, torch.ones(1, 6, dtype=torch.bool))
    for logits, first in blocks(z, [2, 4]):
        block = normaliser.add(logits, first, keep=True)
        entropy.add(block)
        masses.add(block)
    for found, right in ((normaliser, np.log(6)), (entropy, np.log(6)), (masses, 0.0)):
        values = found.result().numpy().reshape(3)
        assert np.isnan(values[1])
        assert values[[0, 2]] == pytest.approx(right, abs=1e-6)


def test_a_target_whose_block_has_not_come_is_no_number() -> None:
    targets = Targets(Pairs(np.array([0, 0]), np.array([4, 1])))
    for logits, first in list(blocks(np.zeros((1, 6)), [3]))[:1]:
        targets.add(logits, first)
    assert np.isnan(targets.result().tolist()[0])
    assert targets.result().tolist()[1] == 0.0


def test_a_row_of_minus_infinity_has_no_mass() -> None:
    normaliser = LogSumExp(1)
    for logits, first in blocks(np.full((1, 4), -np.inf), [2]):
        normaliser.add(logits, first)
    assert normaliser.result().tolist() == [-np.inf]
