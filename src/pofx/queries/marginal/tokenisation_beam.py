"""The likeliest tokenisations of a string, by a beam."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import logsumexp
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.queries.marginal.lattice import Lattice

Tokens = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Tokenisation:
    """A tokenisation of a string, or the beginning of a tokenisation.

    Attributes:
        tokens: The k tokens.
        logp: log p of the tokens, nats; EOS is included where the tokenisation is whole.
        fitting: For each of the k tokens, the distribution over the tokens that fit there, renormalised; k arrays.
    """

    tokens: Tokens
    logp: float
    fitting: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True, eq=False)
class BeamResult:
    """The tokenisations at the end of a beam.

    Attributes:
        rows: Distinct whole tokenisations.
        all: Whether no other tokenisation has a positive probability.
    """

    rows: tuple[Tokenisation, ...]
    all: bool


def find_likeliest(
    lm: LM, lattice: Lattice, canonical: Sequence[int], width: int, go_on: Callable[[], bool]
) -> BeamResult | None:
    """Keep the likeliest beginnings at each offset of a lattice, in one call of the model an offset.

    Args:
        lm: The model, with EOS.
        lattice: All tokenisations.
        canonical: The tokenisation of `encode`, whose beginnings are always in the beam.
        width: The most other beginnings at an offset.
        go_on: A function that is called before each call of the model; False ends the search.

    Returns:
        The whole tokenisations in the beam; None where `go_on` ended the search.
    """
    n = len(lattice.data)
    marks = set(_beginnings(canonical, lm))
    waiting: list[list[tuple[float, int, int, int]]] = [[] for _ in range(n + 1)]  # log p, offset, row, token
    rows: dict[int, list[Tokenisation]] = {}
    states: dict[int, State] = {}
    pruned = False
    for at in range(n + 1):
        if at and not waiting[at]:
            continue
        if not go_on():
            return None
        if not at:
            states[0], rows[0] = lm.start(1), [Tokenisation((), 0.0, ())]
        else:
            kept, cut = _keep_best(waiting[at], rows, width, marks)
            pruned = pruned or cut
            states[at], rows[at] = _extend(lm, kept, states, rows)
        waiting[at] = []
        if at == n:
            break
        logp = np.asarray(states[at].logp, dtype=np.float64)[:, lattice.ids[at]]
        for k, row in enumerate(rows[at]):
            q = (
                np.exp(logp[k] - logsumexp(logp[k]))
                if np.any(np.isfinite(logp[k]))
                else np.zeros(logp.shape[1])
            )
            rows[at][k] = Tokenisation(row.tokens, row.logp, (*row.fitting, q))
            for token, end, value in zip(
                lattice.ids[at].tolist(), lattice.ends[at].tolist(), logp[k].tolist()
            ):
                if np.isfinite(value):
                    waiting[end].append((row.logp + value, at, k, token))
        for gone in [o for o in states if o <= at - lattice.longest]:
            del states[gone], rows[gone]
    if n not in states:  # no beginning on the beam leads to a possible text
        return BeamResult((), not pruned)
    ended = np.asarray(states[n].logp, dtype=np.float64)[:, lm.vocab.end]
    whole = [Tokenisation(row.tokens, row.logp + float(e), row.fitting) for row, e in zip(rows[n], ended)]
    return BeamResult(tuple(whole), not pruned)


def _beginnings(canonical: Sequence[int], lm: LM) -> list[Tokens]:
    # No path of the lattice has a token that spells nothing.
    kept = tuple(int(i) for i in canonical if lm.vocab.token_bytes[int(i)])
    return [kept[:k] for k in range(len(kept) + 1)]


def _keep_best(
    waiting: list[tuple[float, int, int, int]],
    rows: dict[int, list[Tokenisation]],
    width: int,
    marks: set[Tokens],
) -> tuple[list[tuple[float, int, int, int]], bool]:
    """Return the likeliest beginnings and the canonical beginning, and whether any beginning was left out."""
    ranked = sorted(waiting, key=lambda w: (-w[0], w[1:]))
    kept = ranked[:width]
    kept += [w for w in ranked[width:] if (*rows[w[1]][w[2]].tokens, w[3]) in marks]
    return kept, len(kept) < len(ranked)


def _extend(
    lm: LM,
    kept: list[tuple[float, int, int, int]],
    states: dict[int, State],
    rows: dict[int, list[Tokenisation]],
) -> tuple[State, list[Tokenisation]]:
    ordered = sorted(kept, key=lambda w: w[1])
    parents = sorted({w[1] for w in ordered})
    taken = [states[o].take([w[2] for w in ordered if w[1] == o]) for o in parents]
    state = taken[0].cat(*taken[1:]) if len(taken) > 1 else taken[0]
    out = []
    for logp, offset, row, token in ordered:
        before = rows[offset][row]
        out.append(Tokenisation((*before.tokens, token), logp, before.fitting))
    return lm.extend(state, np.array([[w[3]] for w in ordered], dtype=np.int64)), out
