"""Masses of sets of tokens far below the likeliest: log-sum-exps over their own set, held against float64.

The right values are sums of a float64 softmax, taken set by set, in units of the set's own largest entry.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pofx
from pofx.lm.model import LM
from pofx.lm.paths import as_id_rows
from pofx.lm.state import State
from pofx.lm.trace import Want, log_masses
from pofx.vocab.vocabulary import Vocab


def by_hand(logp: np.ndarray, members: np.ndarray) -> float:
    """log Σ exp over one set, the largest first."""
    inside = logp[members]
    if not len(inside):
        return -np.inf
    peak = inside.max()
    return peak if np.isneginf(peak) else float(peak + np.log(np.exp(inside - peak).sum()))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-5000, 50) | st.just(-np.inf), min_size=4, max_size=12),
    st.lists(st.lists(st.booleans(), min_size=12, max_size=12), min_size=1, max_size=4),
)
def test_of_any_law(logits: list[float], sets: list[list[bool]]) -> None:
    logits[0] = 60.0
    z = np.array(logits)
    logp = (z - by_hand(z, np.ones(len(z), dtype=bool)))[None]
    members = np.array(sets)[:, : len(z)]
    found = log_masses(logp, members)
    assert found[0] == pytest.approx([by_hand(logp[0], m) for m in members], abs=1e-9)


class Steep(LM):
    """Tokens " a", "b" and EOS of which all but "b" are `depth` nats down."""

    class _Vocab(Vocab):
        size, end, token_bytes = 3, 2, (b" a", b"b", None)

        def encode(self, text: str | bytes) -> list[int]:
            data = text.encode() if isinstance(text, str) else text
            return [0 if c == ord("a") else 1 for c in data.replace(b" ", b"")]

    vocab = _Vocab()

    def __init__(self, depth: float) -> None:
        z = np.array([-depth, 0.0, -depth])
        self.law = z - np.logaddexp.reduce(z)

    def start(self, n: int) -> State:
        return State(np.tile(self.law, (n, 1)), None, n)

    def extend(self, state: State, ids: object) -> State:
        as_id_rows(ids, state.n)  # type: ignore[arg-type]
        return self.start(state.n)


@pytest.mark.parametrize("depth", [50.0, 159.0, 800.0, 4000.0])
def test_words_whose_boundaries_are_faint(depth: float) -> None:
    lm = Steep(depth)
    found = pofx.words(lm, ["b ab"])[0]
    first, second = found.words
    # F(1) = log p(b) + log(p(" a") + p(EOS)); all of it is log p of the tokens and EOS.
    assert first.surprisal == pytest.approx(-(lm.law[1] + np.logaddexp(lm.law[0], lm.law[2])), rel=1e-12)
    whole = lm.law[[1, 0, 1, 2]].sum()
    assert first.surprisal + second.surprisal == pytest.approx(-whole, rel=1e-12)
    assert found.total == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize(("size", "scale", "shut"), [(300, 40.0, 5), (9000, 60.0, 4096), (9000, 1.0, 0)])
def test_of_a_pretrained_models_head(size: int, scale: float, shut: int) -> None:
    """Blocks of 4,096 columns in float32; the first `shut` rows of the vocabulary have a logit of −∞."""
    torch = pytest.importorskip("torch")
    from pofx.models.pretrained.inference.head import Head

    draw = torch.Generator().manual_seed(1)
    weight, hidden = scale * torch.randn(size, 8, generator=draw), torch.randn(6, 8, generator=draw)
    bias = torch.zeros(size)
    bias[:shut] = -torch.inf
    sets = np.zeros((5, size), dtype=bool)
    sets[0, ::7], sets[1, shut : shut + 2], sets[2, -3:], sets[3, : shut + 1] = True, True, True, True
    ids = np.arange(6) + shut
    read = Head(weight, bias).read(hidden, np.arange(6), ids, Want(entropy=True, masses=sets), None)
    z = (hidden.double() @ weight.double().T + bias.double()).numpy()
    logp = z - np.array([[by_hand(row, np.ones(size, dtype=bool))] for row in z])
    right = np.array([[by_hand(row, s) for s in sets] for row in logp])
    assert read.masses is not None
    assert read.entropy is not None
    assert read.masses.numpy() == pytest.approx(right, abs=2e-6 * max(scale * 10, 1))
    if scale > 1:
        assert right[np.isfinite(right)].min() < -110  # else the case is none
    p = np.exp(logp)
    h = -np.sum(np.where(p > 0, p * np.where(p > 0, logp, 0.0), 0.0), axis=1)
    assert read.entropy.numpy() == pytest.approx(h, abs=2e-6 * max(scale * 10, 1))
