"""Draws by inversion: the same draws whatever the block, and memory that does not grow with the batch.

The right draw is the plain formula over whole rows: the first outcome whose cumulative sum exceeds u times the total.
"""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pofx.algorithms.statistics import inversion
from pofx.lm.model import LM
from pofx.lm.paths import as_id_rows
from pofx.lm.state import State
from pofx.queries.sample import draw_paths
from pofx.vocab.vocabulary import Vocab


def by_hand(weights: np.ndarray, u: np.ndarray) -> list[int]:
    """Each row alone, outcome by outcome."""
    out = []
    for row, share in zip(weights.astype(np.float64), u):
        total, seen = float(np.add.accumulate(row)[-1]), 0.0
        first = 0
        for k, w in enumerate(row):
            seen += float(w)
            if seen > share * total:
                first = k
                break
        out.append(first)
    return out


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 7), st.integers(1, 9), st.integers(1, 40), st.integers(0, 2**32 - 1), st.booleans())
def test_blocks_change_no_draw(n: int, size: int, numbers: int, seed: int, single: bool) -> None:
    rng = np.random.default_rng(seed)
    logs = rng.normal(0, 3, (n, size)).astype(np.float32 if single else np.float64)
    logs[rng.random((n, size)) < 0.3] = -np.inf
    u = np.round(rng.random(n), 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inversion, "NUMBERS", numbers)
        found = inversion.inverse_of_logs(logs, u).tolist()
        assert inversion.inverse(np.exp(logs.astype(np.float64)), u).tolist() == found
    assert found == by_hand(np.exp(logs.astype(np.float64)), u)


def test_an_outcome_of_no_mass_is_never_drawn() -> None:
    weights = np.array([[0.0, 1.0, 0.0, 3.0, 0.0]])
    for u in (0.0, 0.2499, 0.25, 0.999999):
        assert inversion.inverse(weights, np.array([u])).tolist() == [1 if u < 0.25 else 3]


class Wide(LM):
    """One law, in float32, over a vocabulary as large as the largest of today; EOS is its last token."""

    class _Vocab(Vocab):
        size, end = 1 << 18, (1 << 18) - 1

        def encode(self, text: str | bytes) -> list[int]:
            return [0] * len(text)

    vocab = _Vocab()

    def __init__(self) -> None:
        z = np.random.default_rng(3).normal(0, 2, self.vocab.size)
        z[-1] = 12.0  # some rows end early
        self.law = (z - np.logaddexp.reduce(z)).astype(np.float32)

    def start(self, n: int) -> State:
        return State(lambda: np.broadcast_to(self.law, (n, len(self.law))), None, n)

    def extend(self, state: State, ids: object) -> State:
        return self.start(len(as_id_rows(ids, state.n)))  # type: ignore[arg-type]


def test_memory_of_a_large_vocabulary_is_bounded() -> None:
    lm, n = Wide(), 32  # whole rows in float64 would be 67 MB, three times
    tracemalloc.start()
    rows = draw_paths(lm, n, 3, np.random.default_rng(7))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 110e6
    rng, law, live = np.random.default_rng(7), lm.law.astype(np.float64), list(range(n))
    mass, drawn = np.cumsum(np.exp(law)), [[] for _ in range(n)]
    for _ in range(3):
        u = rng.random(256)[live]
        for row, share in zip(list(live), u):
            i = int(np.argmax(mass > share * mass[-1]))
            drawn[row].append((i, law[i]))
            if i == lm.vocab.end:
                live.remove(row)
    assert [list(zip(*r)) for r in rows] == drawn
    assert 0 < len(live) < n
