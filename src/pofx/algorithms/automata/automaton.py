"""Deterministic automata over bytes: sets of byte strings that can be followed a byte at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.byte_ranges import expand_ranges

Ints = NDArray[np.int64]

# State 0 of every automaton: no continuation is accepted any more.
DEAD = 0
# 10,000 states take 20 MB, and 30 s over the 49,152 tokens of SmolLM2.
MOST = 10_000


class TooLarge(Exception):
    """An automaton would have more than `MOST` states."""


@dataclass(frozen=True, eq=False)
class Dfa:
    """A deterministic automaton over bytes. State 0 is dead; every other state can reach an accepting state.

    Attributes:
        next: `[S, 256]`, the state after each byte.
        accept: `[S]`, whether each state accepts.
        start: The first state.

    Right: `dfa.after(b"ab")`, then `dfa.accept[q]`. Wrong: a live state that cannot reach an accepting state, which
    `trimmed` removes.
    """

    next: NDArray[np.int32]
    accept: NDArray[np.bool_]
    start: int

    @property
    def size(self) -> int:
        """The number of states, the dead state included."""
        return len(self.accept)

    @property
    def empty(self) -> bool:
        """Whether no string is accepted."""
        return self.start == DEAD

    def after(self, data: bytes, state: int | None = None) -> int:
        """Return the state after some bytes."""
        q = self.start if state is None else state
        for b in data:
            q = int(self.next[q, b])
        return q

    def accepts(self, data: bytes) -> bool:
        """Return whether a string is in the set."""
        return bool(self.accept[self.after(data)])


def trimmed(next_: NDArray[np.int32], accept: NDArray[np.bool_], start: int) -> Dfa:
    """Return the same set without states that are not reached, or from which no accepting state is reached."""
    full, next_ = next_, next_[:, _distinct_bytes(next_)[0]]
    reached = _reach(next_, start)
    # The backward search needs the edges in the order of their targets, each pair of states once.
    size = len(accept)
    pairs = np.sort((next_.astype(np.int64) * size + np.arange(size)[:, None]).ravel())
    pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])]
    to, source = np.divmod(pairs, size)
    first = np.searchsorted(to, np.arange(size + 1))
    useful = accept & reached
    waiting = np.flatnonzero(useful)
    while len(waiting):
        _, edges = expand_ranges(first[waiting], first[waiting + 1])
        new = np.unique(source[edges])
        waiting = new[reached[new] & ~useful[new]]
        useful[waiting] = True
    useful[DEAD] = False
    kept = np.flatnonzero(useful)
    if len(kept) >= MOST:
        raise TooLarge
    place = np.zeros(len(accept), dtype=np.int32)
    place[kept] = np.arange(1, len(kept) + 1)
    rows = np.zeros((len(kept) + 1, 256), dtype=np.int32)
    rows[1:] = place[full[kept]]
    return Dfa(rows, np.append(False, accept[kept]), int(place[start]))


def _distinct_bytes(*tables: NDArray[np.int32]) -> tuple[Ints, Ints]:
    """Return a byte of each class of bytes, and the class `[256]` of each byte; all states treat a class alike."""
    columns = np.ascontiguousarray(np.concatenate(tables).T)
    numbers: dict[bytes, int] = {}
    classes = np.array([numbers.setdefault(column.tobytes(), len(numbers)) for column in columns])
    return np.unique(classes, return_index=True)[1], classes


def _reach(next_: NDArray[np.int32], start: int) -> NDArray[np.bool_]:
    seen: NDArray[np.bool_] = np.arange(len(next_)) == start
    waiting = np.array([start])
    while len(waiting):
        new = np.unique(next_[waiting])
        waiting = new[~seen[new]]
        seen[waiting] = True
    return seen


def anything() -> Dfa:
    """Return the set of all strings."""
    return Dfa(np.array([[0], [1]], dtype=np.int32).repeat(256, axis=1), np.array([False, True]), 1)


def of_length(n: int) -> Dfa:
    """Return the strings of n bytes."""
    _check(n + 2)
    steps = np.arange(1, n + 2, dtype=np.int32)
    after = np.append(np.append(0, steps[1:]), 0)
    return Dfa(after.astype(np.int32)[:, None].repeat(256, axis=1), np.arange(n + 2) == n + 1, 1)


def containing(data: bytes) -> Dfa:
    """Return the strings in which `data` occurs: the matcher of Knuth, Morris and Pratt."""
    n = len(data)
    _check(n + 2)
    rows = np.zeros((n + 2, 256), dtype=np.int32)
    rows[1:] = 1
    shorter = 1  # the state after the longest proper suffix that is a prefix, too
    for k, b in enumerate(data, 1):
        rows[k] = rows[shorter]
        rows[k, b] = k + 1
        if k > 1:
            shorter = int(rows[shorter, b])
    rows[n + 1] = n + 1
    return Dfa(rows, np.arange(n + 2) == n + 1, 1)


def preceded(data: bytes, dfa: Dfa) -> Dfa:
    """Return the strings that are `data` followed by a string of the set."""
    n = len(data)
    if not n or dfa.empty:
        return dfa
    _check(dfa.size + n)
    rows = np.zeros((dfa.size + n, 256), dtype=np.int32)
    rows[: dfa.size] = dfa.next
    for k, b in enumerate(data):
        rows[dfa.size + k, b] = dfa.start if k + 1 == n else dfa.size + k + 1
    return Dfa(rows, np.append(dfa.accept, np.zeros(n, dtype=np.bool_)), dfa.size)


def opened(dfa: Dfa, byte: int) -> Dfa:
    """Return the strings that are in the set once a first byte `byte` is removed; other strings are taken as they are."""
    if dfa.empty:
        return dfa
    rows = np.concatenate([dfa.next, dfa.next[dfa.start : dfa.start + 1]])
    rows[-1, byte] = dfa.start
    return Dfa(rows, np.append(dfa.accept, dfa.accept[dfa.start]), dfa.size)


def followed(dfa: Dfa, data: bytes, on: bool = False) -> Dfa:
    """Return the strings that are a string of the set followed by `data`; with `on`, any bytes may come after `data`.

    Subset construction: a state is a state of `dfa`, and the set of lengths of `data` that may have been read (a bit each).
    """
    if dfa.empty:
        return dfa
    _check(
        len(data)
    )  # each byte of `data` takes at least one state, and each state a word of `len(data)` bits
    full = 1 << len(data)
    there: dict[tuple[int, int], int] = {}
    rows: list[NDArray[np.int32]] = [np.zeros(256, dtype=np.int32)]
    accept = [False]
    names: list[tuple[int, int]] = []
    used = sorted(set(data))
    masks = {b: sum(2 << k for k, c in enumerate(data) if c == b) for b in used}
    others = np.ones(256, dtype=np.bool_)
    others[used] = False

    def name(q: int, read: int) -> int:
        read |= int(dfa.accept[q])
        if on and read & full:
            q, read = -1, full
        key = (q, read)
        if key == (DEAD, 0):
            return DEAD
        if key not in there:
            if len(there) >= MOST:
                raise TooLarge
            there[key] = len(there) + 1
            names.append(key)
        return there[key]

    start = name(dfa.start, 0)
    at = 0
    while at < len(names):
        q, read = names[at]
        at += 1
        accept.append(bool(read & full))
        row = np.zeros(256, dtype=np.int32)
        if q < 0:
            row[:] = at
        else:
            for target in np.unique(dfa.next[q, others]):
                row[others & (dfa.next[q] == target)] = name(int(target), 0)
            for b in used:
                row[b] = name(int(dfa.next[q, b]), (read << 1) & masks[b])
        rows.append(row)
    return trimmed(np.array(rows), np.array(accept), start)


def both(a: Dfa, b: Dfa) -> Dfa:
    """Return the strings of both sets: the pairs of states that are reached from the two starts."""
    bytes_, classes = _distinct_bytes(a.next, b.next)
    left, right = a.next[:, bytes_].astype(np.int64), b.next[:, bytes_]
    start = a.start * b.size + b.start
    # The pairs of 10⁴ by 10⁴ states take 100 MB at most, and memory only for the pages of pairs that are reached.
    seen = np.zeros(a.size * b.size, dtype=np.bool_)
    seen[start] = True
    waiting = np.array([start], dtype=np.int64)
    count = 1
    found: list[tuple[Ints, Ints]] = []
    while len(waiting):
        p, q = left[waiting // b.size], right[waiting % b.size]
        after = np.where((p == DEAD) | (q == DEAD), -1, p * b.size + q)
        found.append((waiting, after))
        new = np.unique(after)
        new = new[new >= 0]
        waiting = new[~seen[new]]
        seen[waiting] = True
        count += len(waiting)
        _check(count // 4)  # most pairs may be unable to accept, and are removed by `trimmed`
    source, after = (np.concatenate(parts) for parts in zip(*found))
    order = np.argsort(source)
    known = source[order]
    table = np.where(after < 0, 0, np.searchsorted(known, after) + 1).astype(np.int32)
    rows = np.zeros((len(known) + 1, 256), dtype=np.int32)
    rows[1:] = table[order][:, classes]
    accept = np.append(False, a.accept[known // b.size] & b.accept[known % b.size])
    return trimmed(rows, accept, int(np.searchsorted(known, start)) + 1)


def stopping(dfa: Dfa) -> Dfa:
    """Return the strings that begin with a string of the set: an accepting state is never left."""
    rows = np.where(dfa.accept[:, None], np.arange(dfa.size)[:, None], dfa.next).astype(np.int32)
    return trimmed(rows, dfa.accept, dfa.start)


def _check(states: int) -> None:
    if states > MOST:
        raise TooLarge
