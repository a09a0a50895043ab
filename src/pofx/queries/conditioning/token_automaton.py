"""An automaton over bytes that is moved by tokens: a token moves the automaton by all its bytes at once."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.automata.automaton import DEAD, Dfa
from pofx.lm.trace import Ints

# The most moves in the cache: 64 MB, which is 341 states over 49,152 tokens. Other states are computed again, 2 ms each.
KEPT = 1 << 24


@dataclass(frozen=True, eq=False)
class ByteColumns:
    """The bytes of the tokens of a vocabulary by byte position.

    Attributes:
        size: V, the number of ids of the vocabulary.
        ids: The ids that spell bytes, the longest first.
        columns: `columns[j]` has byte j of each id that has more than j bytes, in the order of `ids`.
    """

    size: int
    ids: Ints
    columns: tuple[NDArray[np.uint8], ...]


@lru_cache(maxsize=4)
def spelled(token_bytes: tuple[bytes | None, ...], end: int | None) -> ByteColumns:
    """Return the bytes of a vocabulary by byte position; the cache has the last four vocabularies."""
    some = [(len(b), i, b) for i, b in enumerate(token_bytes) if b and i != end]
    some.sort(key=lambda x: -x[0])
    lengths = np.array([n for n, _, _ in some], dtype=np.int64)
    flat = np.frombuffer(b"".join(b for _, _, b in some), dtype=np.uint8)
    starts = np.cumsum(lengths) - lengths
    longest = int(lengths[0]) if len(lengths) else 0
    columns = tuple(flat[starts[: int(np.sum(lengths > j))] + j] for j in range(longest))
    return ByteColumns(len(token_bytes), np.array([i for _, i, _ in some], dtype=np.int64), columns)


class TokenAutomaton:
    """An automaton over bytes that moves by tokens.

    Right: `TokenAutomaton(dfa, vocab.token_bytes, vocab.end).next_states(dfa.start)`. Wrong: moves by control tokens, which
    spell no bytes and are in no text.
    """

    def __init__(self, dfa: Dfa, token_bytes: tuple[bytes | None, ...], end: int | None) -> None:
        self.dfa = dfa
        self.layout = spelled(token_bytes, end)
        self._flat = dfa.next.ravel()
        self._known: OrderedDict[int, NDArray[np.int32]] = OrderedDict()

    def next_states(self, q: int) -> NDArray[np.int32]:
        """Return the state that each token leads to from state q, `[V]`; dead for EOS and for tokens that spell nothing."""
        found = self._known.get(q)
        if found is not None:
            self._known.move_to_end(q)
            return found
        layout = self.layout
        state = np.full(len(layout.ids), q, dtype=np.int32)
        for column in layout.columns:
            k = len(column)
            state[:k] = self._flat[state[:k].astype(np.int64) * 256 + column]
        out = np.full(layout.size, DEAD, dtype=np.int32)
        out[layout.ids] = state
        self._known[q] = out
        while len(self._known) * layout.size > KEPT and len(self._known) > 1:
            self._known.popitem(last=False)
        return out

    @cached_property
    def states(self) -> Ints:
        """The states that tokens reach from the start, in order, without the dead state."""
        known, waiting = {self.dfa.start}, [self.dfa.start]
        if self.dfa.empty:
            return np.zeros(0, dtype=np.int64)
        while waiting:
            new = set(np.unique(self.next_states(waiting.pop())).tolist()) - known - {DEAD}
            known |= new
            waiting.extend(new)
        return np.array(sorted(known), dtype=np.int64)

    def moves(self, mass: NDArray[np.float64]) -> tuple[Ints, Ints, NDArray[np.float64]]:
        """List the moves between states, and the mass of the tokens that make each move.

        Args:
            mass: The mass of each token, `[V]`.

        Returns:
            Source states, target states and summed masses, `[M]` each, sorted by source.
        """
        source, target, share = [], [], []
        for q in self.states.tolist():
            after = self.next_states(q)
            total = np.bincount(after, weights=mass, minlength=self.dfa.size)
            total[DEAD] = 0.0
            to = np.flatnonzero(total)
            source.append(np.full(len(to), q, dtype=np.int64))
            target.append(to)
            share.append(total[to])
        if not source:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)
        return np.concatenate(source), np.concatenate(target), np.concatenate(share)
