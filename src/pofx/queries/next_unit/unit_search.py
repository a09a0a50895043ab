"""The likeliest characters or words after a prefix: a best-first search over bytes, with bounds."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.queries.segmentation.unit_automata import DONE, TextUnit, UnitAutomaton

# The most strings of bytes that are read in one call of the model.
WIDTH = 32
# The least mass of a string that a call reads, as a share of the heaviest string's mass: the first calls have few strings.
SHARE = 1 / 64
# A boundary of several bytes (a dash, a no-break space) may still add mass to a unit. The search reads such bytes while they
# may add more than this share of the unit's mass.
OPEN = 1e-3
# The most numbers of next-token distributions at a time: 512 MB of float32. The states of the lightest strings are dropped
# where there would be more.
MOST = 1 << 27


@dataclass
class UnitMass:
    """The known part of the probability of one unit.

    Attributes:
        p: The probability under the computed distribution.
        low: The part of `p` that is certain.
        dropped: The probability that hypotheses dropped by a beam may add.
        open: The probability that bytes not yet read may add.
    """

    p: float = 0.0
    low: float = 0.0
    dropped: float = 0.0
    open: float = 0.0

    @property
    def high(self) -> float:
        """An upper bound of the probability."""
        return min(max(self.p, self.low + self.dropped) + self.open, 1.0)


@dataclass(eq=False)
class _Node:
    """A string of bytes that was read.

    Attributes:
        number: The number of the string.
        read: The bytes.
        at: The state of the automaton after the bytes.
        state: A batch of model states, with a row for the string; None where the batch was dropped.
        row: The row of the string in `state`.
        bytes: The bytes that may follow and end no unit, likeliest first.
        mass: The probability of the string followed by each of these bytes.
        dropped: The probability that a beam dropped between the prefix and the end of the string.
    """

    number: int
    read: bytes
    at: int
    state: State | None
    row: int
    bytes: NDArray[np.int64]
    mass: NDArray[np.float64]
    dropped: float


@dataclass
class UnitSearch:
    """The units that were found so far, and the strings whose continuations are not read yet.

    Σ p + left = 1. Local to one call of `search_units`.

    Attributes:
        lm: A model of bytes.
        automaton: The automaton that finds the end of a unit.
        units: The probability of each unit that was found.
        left: The mass of the strings whose continuations are not read.
        lost: The mass of the heaviest string that was dropped to save memory.
        calls: The number of calls of the model so far.
        most: Log of an upper bound of P(prefix), nats.
        dropped: The probability that a beam dropped before the end of the prefix.
        off: The probability that a beam dropped in all, a bound on the error of the computed distribution in total
            variation.
        nodes: The strings that were read.
        heap: The strings to read next, by mass: (−mass, number of the node, place of the byte).
        taken: The strings that were taken off the heap: (number of the node, place of the byte).
    """

    lm: LM
    automaton: UnitAutomaton
    units: dict[TextUnit, UnitMass] = field(default_factory=dict)
    left: float = 0.0
    lost: float = 0.0
    calls: int = 0
    most: float = 0.0
    dropped: float = 0.0
    off: float = 0.0
    nodes: list[_Node] = field(default_factory=list)
    heap: list[tuple[float, int, int]] = field(default_factory=list)
    taken: set[tuple[int, int]] = field(default_factory=set)

    def top(self, k: int) -> list[tuple[TextUnit, UnitMass]]:
        """Return the k likeliest units that were found, likeliest first."""
        met = [(unit, f) for unit, f in self.units.items() if f.p > 0]
        return sorted(met, key=lambda u: (-u[1].p, u[0].spelled, u[0].end))[:k]

    def least(self, k: int) -> float:
        """Return the probability of the k-th likeliest unit; 0 where fewer units were found."""
        largest = heapq.nlargest(k, (f.p for f in self.units.values()))
        return largest[-1] if len(largest) == k else 0.0

    @property
    def heaviest(self) -> float:
        """The mass of the heaviest string whose continuations can be read."""
        while self.heap and self.heap[0][1:] in self.taken:
            _, node, which = heapq.heappop(self.heap)
            self.push(node, which + 1)
        return -self.heap[0][0] if self.heap else 0.0

    def push(self, node: int, which: int) -> None:
        """Put the heaviest remaining string of a node on the heap, which has at most one string of each node."""
        n = self.nodes[node]
        if n.state is not None and which < len(n.bytes):
            heapq.heappush(self.heap, (-float(n.mass[which]), node, which))

    def others_below(self, k: int) -> float:
        """Return an upper bound of the probability of any unit but the k likeliest, under the computed distribution."""
        shown = {unit for unit, _ in self.top(k)}
        met = max((f.p + f.open for unit, f in self.units.items() if unit not in shown), default=0.0)
        return max(met, self.heaviest, self.lost)


def search_units(lm: LM, state: State, automaton: UnitAutomaton, k: int, calls: int) -> UnitSearch:
    """Find the k likeliest units that may follow.

    A string of bytes is at least as likely as any unit that begins with the string. So the search reads the heaviest string
    first. Once no string is heavier than the k-th unit, no other unit can be likelier than these k units.

    Args:
        lm: A model of bytes.
        state: The state after the prefix, of one row.
        automaton: The automaton that finds the end of a unit.
        k: The number of units to find.
        calls: The most calls of the model.

    Returns:
        The search, with all units and strings that were found.
    """
    out = UnitSearch(lm, automaton)
    if state.bounds is not None:
        out.most = float(state.bounds.most[0])
        out.dropped = math.exp(state.bounds.shares(0)[1])
    out.off = out.dropped
    _read(out, [(b"", automaton.first, 1.0, 0.0)], state)
    while out.calls < calls and out.heaviest > out.least(k):
        floor = max(out.least(k), out.heaviest * SHARE)
        strings: list[tuple[int, int]] = []
        while len(strings) < WIDTH and out.heaviest > floor:
            _, node, which = heapq.heappop(out.heap)
            strings.append((node, which))
            out.push(node, which + 1)
        _advance(out, strings)
    while out.calls < calls and (strings := _unsettled(out, k)):
        _advance(out, strings)
    return out


def _unsettled(out: UnitSearch, k: int) -> list[tuple[int, int]]:
    """Return the heaviest strings that may be a boundary after one of the k likeliest units."""
    units = {unit: f.p for unit, f in out.top(k) if f.open > OPEN * f.p}
    pending = []
    for number, node in enumerate(out.nodes) if units else ():
        if node.state is None or not any(node.read.startswith(u.spelled) for u in units):
            continue
        for which, byte in enumerate(node.bytes.tolist()):
            unit = out.automaton.pending(int(out.automaton.table(node.at)[byte]), node.read + bytes([byte]))
            if unit in units and (number, which) not in out.taken and node.mass[which] > 0:
                pending.append((float(node.mass[which]), number, which))
    return [(number, which) for _, number, which in heapq.nlargest(WIDTH, pending)]


def _advance(out: UnitSearch, taken: list[tuple[int, int]]) -> None:
    """Read the strings `taken`, in one call of the model."""
    out.calls += 1
    out.taken.update(taken)
    states: dict[int, list[tuple[int, int]]] = {}
    for number, which in taken:
        states.setdefault(id(out.nodes[number].state), []).append((number, which))
    parts, rows, last = [], [], []
    for group in states.values():
        held = out.nodes[group[0][0]].state
        assert held is not None  # noqa: S101  (ours: strings of dropped states are not on the heap)
        parts.append(held.take([out.nodes[number].row for number, _ in group]))
        for number, which in group:
            node = out.nodes[number]
            byte, mass = int(node.bytes[which]), float(node.mass[which])
            read, at = node.read + bytes([byte]), int(out.automaton.table(node.at)[byte])
            out.left -= mass
            unit = out.automaton.pending(at, read)
            if unit is not None:
                out.units[unit].open -= mass
            rows.append((read, at, mass, node.dropped))
            last.append([byte])
    state = parts[0].cat(*parts[1:]) if len(parts) > 1 else parts[0]
    _read(out, rows, out.lm.extend(state, np.array(last)))
    _drop_states(out)


def _read(out: UnitSearch, rows: list[tuple[bytes, int, float, float]], state: State) -> None:
    """Divide the mass of strings, by the distributions after the strings, among finished units and longer strings."""
    # Mass in reserve of a beam counts as dropped: its uniform share would make bytes look likely that are not.
    logp = state.logp if state.bounds is None else state.bounds.logp
    every = np.exp(np.asarray(logp, dtype=np.float64))
    for row, (read, at, p, before) in enumerate(rows):
        following, table = every[row] / every[row].sum(), out.automaton.table(at)
        low, dropped = _bounds(out, state, row, p)
        out.off += max(dropped - before, 0.0)
        shares: dict[TextUnit, float] = {}
        for byte in np.flatnonzero((table == DONE) & (following[:256] > 0)).tolist():
            unit = out.automaton.unit(at, read, byte)
            shares[unit] = shares.get(unit, 0.0) + following[byte]
        if len(following) > 256 and following[256] > 0:
            unit = out.automaton.unit_at_end(at, read)
            shares[unit] = shares.get(unit, 0.0) + following[256]
        going = np.flatnonzero((table != DONE) & (following[:256] > 0))
        going = going[np.argsort(-following[going], kind="stable")]
        mass = p * following[going]
        out.left += float(mass.sum())
        opened: dict[TextUnit, float] = {}
        for byte, m in zip(going.tolist(), mass.tolist()):
            pending = out.automaton.pending(int(table[byte]), read + bytes([byte]))
            if pending is not None:
                opened[pending] = opened.get(pending, 0.0) + m
        for unit in {**shares, **opened}:
            known = out.units.setdefault(unit, UnitMass(dropped=out.dropped))
            known.p += p * shares.get(unit, 0.0)
            known.low += low * shares.get(unit, 0.0)
            known.open += opened.get(unit, 0.0)
            known.dropped += dropped
        out.nodes.append(_Node(len(out.nodes), read, at, state, row, going, mass, dropped))
        out.push(len(out.nodes) - 1, 0)


def _bounds(out: UnitSearch, state: State, row: int, p: float) -> tuple[float, float]:
    """Return the certain mass of the string of a row, and the mass dropped between the prefix and the string's end."""
    bounds = state.bounds
    if bounds is None or np.isneginf(bounds.dropped[row]):
        return p, 0.0
    kept, dropped = np.exp(np.array([bounds.kept[row], bounds.dropped[row]]) - out.most).tolist()
    return min(kept, p), max(dropped - out.dropped, 0.0)


def _drop_states(out: UnitSearch) -> None:
    """Drop the states whose heaviest string is lightest, until the remaining states are within `MOST`."""
    best: dict[int, float] = {}
    numbers: dict[int, int] = {}
    for k, node in enumerate(out.nodes):
        if node.state is not None:
            masses = [
                float(m)
                for which, m in enumerate(node.mass[: len(out.taken) + 1])
                if (k, which) not in out.taken
            ]
            best[id(node.state)] = max(best.get(id(node.state), 0.0), masses[0] if masses else 0.0)
            numbers[id(node.state)] = node.state.held
    held = sum(numbers.values())
    gone = set()
    for key in sorted(best, key=lambda key: best[key]):
        if held <= MOST and best[key] > 0:
            break
        gone.add(key)
        held -= numbers[key]
        out.lost = max(out.lost, best[key])
    for node in out.nodes:
        if id(node.state) in gone:
            node.state = None
    out.heap = [entry for entry in out.heap if out.nodes[entry[1]].state is not None]
    heapq.heapify(out.heap)
