"""Nondeterministic automata over characters with conditional empty moves, and how they become deterministic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.automata.automaton import Dfa, TooLarge
from pofx.algorithms.automata.character_sets import POINTS, Set
from pofx.algorithms.automata.utf8 import over_characters

NEWLINE: Set = (10, 11)
# States of a pattern, states of the automaton made of it, and the moves tried on the way: 2 s. (a|b)*a(a|b){20} has a
# million of the second; ((((a?){9}){9}){9}){9} few, each of thousands of the first.
NODES, STATES, WORK = 20_000, 5_000, 400_000

# Where in a text a thread is: anywhere; where one line end must still come, and then the end; at the end.
ANYWHERE, LAST_LINE_END, END = range(3)


@dataclass(frozen=True)
class Side:
    """What may stand on one side of a place: a character of the set (outside: not of it), or (edge) no character."""

    within: Set = (0, POINTS)
    outside: bool = False
    edge: bool = True


ANY = Side()
NOTHING = Side(within=(), edge=True)


@dataclass
class Nfa:
    """States from 0, which is the start. moves: by a character of a set. jumps: by none, where both sides are right.

    A jump to (target, mode) takes the thread to that mode, unless it is further.
    """

    moves: list[list[tuple[Set, int]]] = field(default_factory=lambda: [[]])
    jumps: list[list[tuple[int, Side, Side, int]]] = field(default_factory=lambda: [[]])

    def state(self) -> int:
        """Return a new state. `TooLarge` beyond `NODES`."""
        if len(self.moves) >= NODES:
            raise TooLarge
        self.moves.append([])
        self.jumps.append([])
        return len(self.moves) - 1

    def move(self, source: int, by: Set, to: int) -> None:
        """Add a transition from `source` to `to` that reads one character of the set `by`."""
        self.moves[source].append((by, to))

    def jump(self, source: int, to: int, before: Side = ANY, after: Side = ANY, mode: int = ANYWHERE) -> None:
        """Add a transition from `source` to `to` that reads nothing, where `before` and `after` stand on either side."""
        self.jumps[source].append((to, before, after, mode))


def deterministic(nfa: Nfa, accept: int) -> Dfa:
    """Return the strings that lead from state 0 to `accept`, in UTF-8, by as few states over characters as there can be.

    `TooLarge` beyond `STATES` or `WORK`.
    """
    built = _Subsets(nfa, accept)
    table, flags = fewest(*built.made())
    return over_characters(built.bounds, built.classes, table, flags, 1)


class _Subsets:
    """Sets of threads; characters that no set of the pattern tells apart are one class.

    A thread is a number, 3 · state + mode. bounds `[k + 1]`: where runs of code points of one class begin, and `POINTS`;
    classes `[k]`: theirs. A mask has a bit a class, and one more for no character.
    """

    def __init__(self, nfa: Nfa, accept: int) -> None:
        self.nfa, self.accept = nfa, accept
        sides = {side for jumps in nfa.jumps for _, *both, _ in jumps for side in both if side != ANY}
        used = {by for moves in nfa.moves for by, _ in moves} | {s.within for s in sides} | {NEWLINE}
        self.bounds, self.classes, masks = _partition(sorted(used))
        self.count = int(self.classes.max()) + 1
        self.edge = 1 << self.count
        self.newline = masks[NEWLINE]
        self.allowed = {side: self._mask(side, masks) for side in sides} | {ANY: 2 * self.edge - 1}
        self.moves = [[(masks[by], to) for by, to in moves] for moves in nfa.moves]
        # Classes that all conditions take alike, as one mask: what stands on a side matters no further.
        told: dict[tuple[bool, ...], int] = {}
        for c in range(self.count + 1):
            alike = tuple(bool(mask >> c & 1) for mask in self.allowed.values())
            told[alike] = told.get(alike, 0) | 1 << c
        self.kinds = list(told.values())
        self._follow: dict[tuple[int, int], dict[int, list[int]]] = {}
        self.work = 0

    def _mask(self, side: Side, masks: dict[Set, int]) -> int:
        mask = masks[side.within] if side.within else 0
        return (mask ^ (self.edge - 1) if side.outside else mask) | (self.edge if side.edge else 0)

    def made(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """`[S, C]`: where each class leads; `[S]`: whether it is accepted. State 0 is dead, 1 the start."""
        first = next(k for k, mask in enumerate(self.kinds) if mask & self.edge)
        waiting = [(frozenset([0]), first)]
        numbers = {waiting[0]: 1}
        rows, flags = [[0] * self.count], [False]
        ends = {3 * self.accept + ANYWHERE, 3 * self.accept + END}
        for threads, before in waiting:
            row = [0] * self.count
            rows.append(row)
            flags.append(False)
            for kind, after in enumerate(self.kinds):
                here = self._closed(threads, before, kind)
                if after & self.edge:
                    flags[-1] = not ends.isdisjoint(here)
                for c, behind in self._stepped(here, after):
                    key = (behind, kind)
                    if key not in numbers:
                        if len(numbers) >= STATES:
                            raise TooLarge
                        numbers[key] = len(numbers) + 1
                        waiting.append(key)
                    row[c] = numbers[key]
        return np.array(rows, dtype=np.int64), np.array(flags, dtype=np.bool_)

    def _closed(self, threads: frozenset[int], before: int, after: int) -> set[int]:
        """Return the threads, and all that they can jump to between two kinds of characters."""
        follow = self._follow.setdefault((before, after), {})
        closed, waiting = set(threads), list(threads)
        while waiting:
            thread = waiting.pop()
            if thread not in follow:
                follow[thread] = self._jumps(thread, self.kinds[before], self.kinds[after])
            new = [to for to in follow[thread] if to not in closed]
            closed.update(new)
            waiting += new
            self.work += len(follow[thread])
            if self.work > WORK:
                raise TooLarge
        return closed

    def _jumps(self, thread: int, before: int, after: int) -> list[int]:
        state, mode = divmod(thread, 3)
        return [
            3 * to + max(mode, then)
            for to, left, right, then in self.nfa.jumps[state]
            if self.allowed[left] & before and self.allowed[right] & after
        ]

    def _stepped(self, threads: set[int], after: int) -> Iterator[tuple[int, frozenset[int]]]:
        """Yield the classes of the mask after which there are threads, and these."""
        by: dict[int, set[int]] = {}
        for thread in threads:
            state, mode = divmod(thread, 3)
            if mode == END:
                continue
            reach = after & (self.newline if mode == LAST_LINE_END else self.edge - 1)
            then = END if mode == LAST_LINE_END else ANYWHERE
            for mask, to in self.moves[state]:
                if mask & reach:
                    by.setdefault(mask & reach, set()).add(3 * to + then)
        joined: dict[tuple[int, ...], frozenset[int]] = {}
        for c in range(self.count):
            masks = tuple(mask for mask in by if mask >> c & 1)
            self.work += len(by)
            if masks:
                if masks not in joined:
                    joined[masks] = frozenset().union(*(by[mask] for mask in masks))
                    self.work += len(joined[masks])
                yield c, joined[masks]


def _partition(sets: list[Set]) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[Set, int]]:
    """Return the bounds of runs of code points, their classes, and each set as a mask of classes."""
    bounds = np.unique(np.concatenate([[0, POINTS], *sets]).astype(np.int64))
    runs = bounds[:-1]
    member = np.array([np.searchsorted(np.array(s), runs, side="right") % 2 for s in sets], dtype=np.bool_)
    signatures, classes = np.unique(np.packbits(member, axis=0), axis=1, return_inverse=True)
    first = np.zeros(signatures.shape[1], dtype=np.int64)
    first[classes.ravel()] = np.arange(len(runs))
    masks = {s: sum(1 << c for c, at in enumerate(first.tolist()) if row[at]) for s, row in zip(sets, member)}
    return bounds, classes.ravel().astype(np.int64), masks


def fewest(
    table: NDArray[np.int64], accept: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the same set by as few states as there can be: Moore's refinement; 0 stays dead and 1 the start.

    The first partition is by the distance of each state from an accepting state. Equivalent states have equal
    distances, and the states of a chain have different distances.
    """
    names = _distance(table, accept)
    while True:
        finer = names
        for column in table.T:
            finer = np.unique(finer * len(table) + names[column], return_inverse=True)[1]
        if finer.max() == names.max():
            break
        names = finer
    # In the order in which they first appear, so that 0 and 1 stay; unless nothing is accepted.
    order = np.unique(finer, return_index=True)[1]
    place = np.empty(len(order), dtype=np.int64)
    place[np.argsort(order, kind="stable")] = np.arange(len(order))
    kept = np.sort(order)
    if len(kept) == 1:
        return np.zeros((2, table.shape[1]), dtype=np.int64), np.array([False, False])
    return place[finer[table[kept]]], accept[kept]


def _distance(table: NDArray[np.int64], accept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many characters each state is from accepting, 0 to the number of states; dense numbers from 0."""
    far = len(table)
    steps = np.where(accept, 0, far)
    while True:
        nearer = np.minimum(steps, 1 + np.where(table == 0, far, steps[table]).min(axis=1, initial=far))
        nearer[nearer > far] = far
        if (nearer == steps).all():
            return np.unique(steps, return_inverse=True)[1].astype(np.int64)
        steps = nearer
