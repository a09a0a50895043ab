"""The exact sum over all tokenisations, for a model whose distributions depend on few last tokens: one sum a history."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from pofx.algorithms.logspace import logsumexp
from pofx.lm.model import LM
from pofx.queries.marginal.lattice import Lattice

# The most histories of one offset. A model of long memory has more histories on a text with many tokenisations.
WIDEST = 4096
# The most edges whose log p is computed in one pass. Paths of 5 tokens each take some 50 MB.
EDGES = 1 << 15

# The last `memory` tokens before an offset; −1 stands for x0.
_History = tuple[int, ...]
_Edge = tuple[int, _History, int, int]  # offset, history, token, end of the token


def sum_by_state(lm: LM, lattice: Lattice, memory: int) -> tuple[float, int] | None:
    """Compute log Σ p(t) over all tokenisations t of a lattice, EOS included, nats.

        α(offset, history) = Σ α(offset before, history before) · p(token | history before)

    The time is O(edges of the lattice × histories). The sum is exact where next-token distributions depend on the last
    `memory` tokens alone.

    Args:
        lm: The model, with EOS.
        lattice: The tokenisations.
        memory: The number of last tokens that a next-token distribution depends on (`LM.memory`).

    Returns:
        The sum and the number of passes of the model; None where an offset has more than `WIDEST` histories.

    Right: `sum_by_state(ngram, lattice, ngram.memory)`. Wrong: a `memory` below the memory of the model.
    """
    n = len(lattice.data)
    assert lm.vocab.end is not None  # noqa: S101  (ours: the caller has checked the EOS)
    arriving: list[dict[_History, list[float]]] = [{} for _ in range(n + 1)]
    reached: list[dict[_History, None]] = [{} for _ in range(n + 1)]
    start: _History = (-1,) if memory else ()
    arriving[0][start] = [0.0]
    reached[0][start] = None
    edges = _edges(lattice, reached, memory, lm.vocab.end)
    passes = 0
    while block := list(islice(edges, EDGES)):
        if any(len(r) > WIDEST for r in reached[block[0][0] : block[-1][3] + 1]):
            return None
        paths = [[*(i for i in history if i >= 0), token] for _, history, token, _ in block]
        logp = lm.forward(paths, skip=[len(p) - 1 for p in paths]).logp
        passes += 1
        for (at, history, token, end), log_p in zip(block, logp):
            # All mass that arrives at an offset comes from lower offsets, whose edges stand before.
            here = arriving[at][history]
            if len(here) > 1:
                here[:] = [float(logsumexp(np.array(here)))]
            weight = here[0] + float(log_p[0])
            if token == lm.vocab.end:
                arriving[n].setdefault((-2,), []).append(weight)
            else:
                arriving[end].setdefault(_remembered(history, token, memory), []).append(weight)
        for old in range(block[0][0], block[-1][0]):
            arriving[old].clear()
            reached[old].clear()
    return float(logsumexp(np.array(arriving[n][(-2,)]))), passes


def _edges(lattice: Lattice, reached: list[dict[_History, None]], memory: int, eos: int) -> Iterator[_Edge]:
    """Yield every token after every history, offset by offset, whatever their probabilities."""
    n = len(lattice.data)
    for at in range(n):
        tokens, ends = lattice.ids[at].tolist(), lattice.ends[at].tolist()
        for history in reached[at]:
            for token, end in zip(tokens, ends):
                reached[end][_remembered(history, token, memory)] = None
                yield at, history, token, end
            if len(reached[at]) > WIDEST:
                break
    for history in reached[n]:
        yield n, history, eos, n


def _remembered(history: _History, token: int, memory: int) -> _History:
    return (*history, token)[-memory:] if memory else ()
