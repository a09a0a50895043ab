"""Nondeterministic automata over characters with conditional empty moves, and their conversion to deterministic automata."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.automata.automaton import Dfa, TooLarge
from pofx.algorithms.automata.character_sets import POINTS, Set
from pofx.algorithms.automata.utf8 import over_characters

NEWLINE: Set = (10, 11)
# The most states of a pattern, the most states of its deterministic automaton, and the most moves that are tried: 2 s.
# (a|b)*a(a|b){20} has a million deterministic states. ((((a?){9}){9}){9}){9} has few, each of thousands of states of the
# pattern.
NODES, STATES, WORK = 20_000, 5_000, 400_000

# The mode of a thread: anywhere in a text; before a last line end, which must come, and then the end; at the end.
ANYWHERE, LAST_LINE_END, END = range(3)


@dataclass(frozen=True)
class Side:
    """A condition on one side of a place: the character that may stand there, or no character.

    Attributes:
        within: The set of characters that may stand there.
        outside: Whether the characters outside `within` may stand there, and no others.
        edge: Whether there may be no character.
    """

    within: Set = (0, POINTS)
    outside: bool = False
    edge: bool = True


ANY = Side()
NOTHING = Side(within=(), edge=True)


@dataclass
class Nfa:
    """A nondeterministic automaton, whose states are numbered from 0, the start.

    A jump to (target, before, after, mode) takes a thread to that mode, unless the thread is in a later mode already.

    Attributes:
        moves: For each state, the transitions by a character of a set.
        jumps: For each state, the transitions by no character, allowed where the conditions on both sides hold.
    """

    moves: list[list[tuple[Set, int]]] = field(default_factory=lambda: [[]])
    jumps: list[list[tuple[int, Side, Side, int]]] = field(default_factory=lambda: [[]])

    def state(self) -> int:
        """Add a state, and return its number; `TooLarge` for more than `NODES` states."""
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
    """Return the strings that lead from state 0 to `accept`, in UTF-8, as the minimal automaton over characters.

    Raises:
        TooLarge: The automaton needs more than `STATES` states, or more than `WORK` moves.
    """
    built = _Subsets(nfa, accept)
    table, flags = fewest(*built.made())
    return over_characters(built.bounds, built.classes, table, flags, 1)


class _Subsets:
    """The subset construction. A thread is a number, 3 · state + mode; a state of the result is a set of threads.

    Characters that are in the same sets of the pattern are one class. A mask has one bit for each class, and a last bit for
    no character.

    Attributes:
        bounds: `[k + 1]`, the code points where runs of one class begin, and `POINTS` at the end.
        classes: `[k]`, the class of each run.
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
        # A kind is a mask of the classes that all conditions treat alike; states need to know no more of a neighbour.
        kinds: dict[tuple[bool, ...], int] = {}
        for c in range(self.count + 1):
            allowed_by = tuple(bool(mask >> c & 1) for mask in self.allowed.values())
            kinds[allowed_by] = kinds.get(allowed_by, 0) | 1 << c
        self.kinds = list(kinds.values())
        self._follow: dict[tuple[int, int], dict[int, list[int]]] = {}
        self.work = 0

    def _mask(self, side: Side, masks: dict[Set, int]) -> int:
        mask = masks[side.within] if side.within else 0
        return (mask ^ (self.edge - 1) if side.outside else mask) | (self.edge if side.edge else 0)

    def made(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the state after each class, `[S, C]`, and whether each state accepts, `[S]`; 0 is dead, 1 the start."""
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
                for c, reached in self._stepped(here, after):
                    key = (reached, kind)
                    if key not in numbers:
                        if len(numbers) >= STATES:
                            raise TooLarge
                        numbers[key] = len(numbers) + 1
                        waiting.append(key)
                    row[c] = numbers[key]
        return np.array(rows, dtype=np.int64), np.array(flags, dtype=np.bool_)

    def _closed(self, threads: frozenset[int], before: int, after: int) -> set[int]:
        """Return the threads, and all threads that are reached from them by jumps between two kinds of characters."""
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
        """Yield each class of the mask that leads to threads, with these threads."""
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
    """Return the same set by the minimal automaton (Moore's refinement); state 0 stays dead and state 1 the start.

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
    # Numbers in the order of first appearance leave 0 and 1 in place, unless nothing is accepted.
    order = np.unique(finer, return_index=True)[1]
    place = np.empty(len(order), dtype=np.int64)
    place[np.argsort(order, kind="stable")] = np.arange(len(order))
    kept = np.sort(order)
    if len(kept) == 1:
        return np.zeros((2, table.shape[1]), dtype=np.int64), np.array([False, False])
    return place[finer[table[kept]]], accept[kept]


def _distance(table: NDArray[np.int64], accept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the rank of each state's distance in characters from an accepting state, as dense numbers from 0."""
    far = len(table)
    steps = np.where(accept, 0, far)
    while True:
        nearer = np.minimum(steps, 1 + np.where(table == 0, far, steps[table]).min(axis=1, initial=far))
        nearer[nearer > far] = far
        if (nearer == steps).all():
            return np.unique(steps, return_inverse=True)[1].astype(np.int64)
        steps = nearer
