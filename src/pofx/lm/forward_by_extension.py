"""The pass over known paths by one `extend` a position: the definition of `LM.forward`, and the slow form of this method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pofx.lm.paths import skip_per_path
from pofx.lm.running_bounds import terms_of_bounds
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, TraceBuilder, Want
from pofx.vocab.vocabulary import Vocab


class Extendable(Protocol):
    """The part of a model that a pass by extension uses."""

    @property
    def vocab(self) -> Vocab:
        """The vocabulary of the model."""

    @property
    def interval(self) -> bool:
        """Whether the states of the model have bounds."""

    @property
    def leaks(self) -> bool:
        """Whether the states of the model have a leak."""

    def start(self, n: int) -> State:
        """Return the state of `n` empty prefixes."""

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Return the state of each prefix followed by its row of ids."""


def forward_by_extension(
    lm: Extendable, paths: Sequence[Path], want: Want, skip: int | Sequence[int] = 0
) -> Trace:
    """Compute `LM.forward` by one `extend` a position over all paths at once, with the bounds and the leak of the states."""
    ids = [np.asarray(p, dtype=np.int64) for p in paths]
    skips = skip_per_path(skip, ids)
    out = TraceBuilder([len(p) - s for p, s in zip(ids, skips)], want, lm.vocab.end)
    records = [_StateRecord(len(p)) for p in ids]
    order = np.array(sorted(range(len(ids)), key=lambda i: -len(ids[i])), dtype=np.int64)
    state = lm.start(len(ids))
    state = state.take(order)
    for i in range(max((len(p) for p in ids), default=0)):
        live = sum(1 for k in order if len(ids[k]) > i)
        if live < len(order):
            order = order[:live]
            state = state.take(np.arange(live))
        now = np.array([ids[k][i] for k in order], dtype=np.int64)
        asked = np.array([j for j, k in enumerate(order) if skips[k] <= i], dtype=np.int64)
        if len(asked):
            at = np.array([out.offset(order[j]) + i - skips[order[j]] for j in asked], dtype=np.int64)
            out.put_distributions(at, state.logp[asked], now[asked])
            for j, k in enumerate(order.tolist() if lm.interval or lm.leaks else ()):
                records[k].add(lm.interval, lm.leaks, i, state, j, int(now[j]))
        if any(len(ids[k]) > i + 1 for k in order):
            state = lm.extend(state, now[:, None])
    trace = out.build()
    if lm.interval:
        pairs = [t.terms(s, logp) for t, s, logp in zip(records, skips, trace.logp)]
        trace = replace(trace, low=tuple(a for a, _ in pairs), high=tuple(b for _, b in pairs))
    if lm.leaks:
        trace = replace(trace, leak=tuple(t.leak[s:] for t, s in zip(records, skips)))
    return trace


class _StateRecord:
    """The bounds of log P before and after each position of one path, and the leak at each position."""

    def __init__(self, n: int) -> None:
        self.least, self.most = np.full(n + 1, -np.inf), np.zeros(n + 1)
        self.leak = np.zeros(n)

    def add(self, interval: bool, leaks: bool, i: int, state: State, row: int, token: int) -> None:
        """Record the leak before position i, and bounds of log P before and after the token at i, from a row of a state."""
        if leaks:
            leak = state.leak
            assert leak is not None  # noqa: S101  (ours: an LM with `leaks` has states with a leak)
            self.leak[i] = leak[row]
        if interval:
            bounds = state.bounds
            assert bounds is not None  # noqa: S101  (ours: an LM with `interval` has states with bounds)
            counted = float(bounds.kept[row]) + float(bounds.logp[row, token])
            # The mass before this position is known twice: before the last token was read, and after it was.
            self.least[i] = max(self.least[i], float(bounds.kept[row]))
            self.most[i] = float(bounds.most[row])
            self.least[i + 1] = counted
            self.most[i + 1] = np.logaddexp(counted, float(bounds.dropped[row]))

    def terms(self, skip: int, logp: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return `Trace.low` and `Trace.high` from position `skip` on."""
        return terms_of_bounds(self.least[skip + 1 :], self.most[skip + 1 :], float(self.most[skip]), logp)
