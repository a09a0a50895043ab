"""Automata over characters as automata over the bytes of their UTF-8."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.automata import automaton
from pofx.algorithms.automata.automaton import DEAD, Dfa, Ints, TooLarge, trimmed
from pofx.algorithms.automata.character_sets import POINTS

# The number of code points that differ in their last byte only, and the number of all code points, padded to whole blocks
# of characters of four bytes.
BLOCK = 64
WIDEST = 5 * BLOCK**3


def over_characters(bounds: Ints, classes: Ints, table: Ints, accept: NDArray[np.bool_], start: int) -> Dfa:
    """Return the same set in UTF-8; surrogates, which UTF-8 does not spell, are refused.

    Args:
        bounds: `[k + 1]`, the code points where runs of one class begin, from 0, and `POINTS` at the end.
        classes: `[k]`, the class of each run.
        table: `[S, C]`, the state after each class; state 0 is dead.
        accept: `[S]`, whether each state accepts.
        start: The first state.

    Raises:
        TooLarge: The automaton over bytes has more than `MOST` states before it is trimmed.

    Right: `over_characters([0, POINTS], [0], [[0], [1]], [False, True], 1)`, which is all valid UTF-8. Wrong: classes of
    bytes.
    """
    nowhere = table.shape[1]

    def class_of(points: Ints) -> Ints:
        none = (points >= POINTS) | ((points >= 0xD800) & (points < 0xE000))
        run = np.searchsorted(bounds[:-1], points, side="right") - 1
        return np.where(none, nowhere, classes[run])

    # Equal blocks of code points get one state: blocks that share all but the last byte, then all but the last two, three.
    # Most blocks have code points of one class only, so the first code point gives the class of the block.
    starts = np.arange(0, WIDEST, BLOCK)
    mixed = np.unique(bounds[bounds < POINTS] // BLOCK)
    kinds, of_last = np.unique(class_of(starts), return_inverse=True)
    rows, which = _distinct(class_of((starts[mixed, None] + np.arange(BLOCK)).ravel()))
    last = np.vstack([np.repeat(kinds[:, None], BLOCK, axis=1), rows])
    of_last[mixed] = len(kinds) + which
    middle, of_middle = _distinct(of_last)
    # Only the shortest spelling of a character is UTF-8: three bytes from U+800 on, four bytes from U+10000 on.
    empty = int(of_last[0xD800 // BLOCK])
    three = _shorter(of_last[: 16 * BLOCK], 0x800 // BLOCK, empty).reshape(16, BLOCK)
    first, of_first = _distinct(_shorter(of_middle, 16, int(of_middle[-1])))

    ascii_ = class_of(np.arange(0x80))
    targets = np.hstack([table, np.zeros((len(table), 1), dtype=np.int64)])
    rows = np.zeros((len(table), 256), dtype=np.int64)
    inner = _Inner(len(table))
    for q, to in enumerate(targets):
        ends = inner.states(to[last])
        twice = inner.states(ends[middle])
        rows[q, :0x80] = to[ascii_]
        rows[q, 0xC2:0xE0] = ends[of_last[2:32]]
        rows[q, 0xE0:0xF0] = inner.states(ends[three])
        rows[q, 0xF0:0xF5] = inner.states(twice[first])[of_first[:5]]
    rows = np.vstack([rows, *inner.rows])
    return trimmed(rows.astype(np.int32), np.append(accept, np.zeros(len(inner.rows), dtype=np.bool_)), start)


class _Inner:
    """The states within a character, found by the states that the next byte leads to; their numbers begin at `taken`."""

    def __init__(self, taken: int) -> None:
        self.taken = taken
        self.rows: list[Ints] = []
        self._numbers: dict[bytes, int] = {bytes(8 * BLOCK): DEAD}

    def states(self, after: Ints) -> Ints:
        """Return the state, `[n]`, that goes by the bytes 80 to BF to the 64 states of each row of `after`, `[n, 64]`."""
        out = np.zeros(len(after), dtype=np.int64)
        for k, row in enumerate(after):
            key = row.tobytes()
            if key not in self._numbers:
                self._numbers[key] = self.taken + len(self.rows)
                if self._numbers[key] > automaton.MOST:
                    raise TooLarge
                whole = np.zeros(256, dtype=np.int64)
                whole[0x80:0xC0] = row
                self.rows.append(whole)
            out[k] = self._numbers[key]
        return out


def _distinct(values: Ints) -> tuple[Ints, Ints]:
    """Return the distinct blocks of 64 values, and the number of each block among the distinct blocks."""
    rows = values.reshape(-1, BLOCK)
    known: dict[bytes, int] = {}
    which = np.array([known.setdefault(row.tobytes(), len(known)) for row in rows], dtype=np.int64)
    return rows[np.unique(which, return_index=True)[1]], which


def _shorter(values: Ints, n: int, empty: int) -> Ints:
    """Return the values with `empty` in the first n places."""
    return np.append(np.full(n, empty, dtype=np.int64), values[n:])
