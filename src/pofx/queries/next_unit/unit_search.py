"""The likeliest first units of what follows a prefix: a best-first search over bytes, with bounds."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.queries.segmentation.unit_automata import DONE, TextUnit, UnitAutomaton

# Strings of bytes that are read in one call of the model.
WIDTH = 32
# In one call, none whose mass is below this share of the heaviest: at first there is little to choose from.
SHARE = 1 / 64
# What a boundary of several bytes (a dash, a no-break space) may still add to a unit is read while it is more than this
# share of the unit.
OPEN = 1e-3
# Numbers of next-token laws held at a time: 512 MB in float32. Beyond, the lightest strings are given up.
MOST = 1 << 27


@dataclass
class UnitMass:
    """What is known of one unit. p: its probability under the law that is computed; low: the part that is certain;
    dropped, open: what hypotheses that a beam dropped, and bytes not yet read, may add."""

    p: float = 0.0
    low: float = 0.0
    dropped: float = 0.0
    open: float = 0.0

    @property
    def high(self) -> float:
        """At most this."""
        return min(max(self.p, self.low + self.dropped) + self.open, 1.0)


@dataclass(eq=False)
class _Node:
    """A string of bytes that was read, the row of `state` behind it, and the bytes it may go on with, heaviest first."""

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
    """Units met so far, and strings whose continuations are not yet read. left: the mass of those; lost: of the heaviest
    one that was given up. Σ p + left = 1. Local to one call of `search`."""

    lm: LM
    cut: UnitAutomaton
    units: dict[TextUnit, UnitMass] = field(default_factory=dict)
    left: float = 0.0
    lost: float = 0.0
    calls: int = 0
    most: float = 0.0  # log of the most that the prefix can have
    dropped: float = 0.0  # before it was read to its end
    off: float = 0.0  # all that was dropped: how far the law that is computed can be off, in total variation
    nodes: list[_Node] = field(default_factory=list)
    heap: list[tuple[float, int, int]] = field(default_factory=list)  # −mass, node, which of its bytes
    taken: set[tuple[int, int]] = field(default_factory=set)

    def top(self, k: int) -> list[tuple[TextUnit, UnitMass]]:
        """The k likeliest units that were met."""
        met = [(unit, f) for unit, f in self.units.items() if f.p > 0]
        return sorted(met, key=lambda u: (-u[1].p, u[0].spelled, u[0].end))[:k]

    def least(self, k: int) -> float:
        """The probability of the k-th, 0 where there are fewer."""
        some = heapq.nlargest(k, (f.p for f in self.units.values()))
        return some[-1] if len(some) == k else 0.0

    @property
    def heaviest(self) -> float:
        """The mass of the heaviest string whose continuations can be read."""
        while self.heap and self.heap[0][1:] in self.taken:
            _, node, which = heapq.heappop(self.heap)
            self.push(node, which + 1)
        return -self.heap[0][0] if self.heap else 0.0

    def push(self, node: int, which: int) -> None:
        """A string on the heap: one of a node's at a time, its heaviest that is left."""
        n = self.nodes[node]
        if n.state is not None and which < len(n.bytes):
            heapq.heappush(self.heap, (-float(n.mass[which]), node, which))

    def others_below(self, k: int) -> float:
        """The most that any unit but the k likeliest can have under the law that is computed."""
        shown = {unit for unit, _ in self.top(k)}
        met = max((f.p + f.open for unit, f in self.units.items() if unit not in shown), default=0.0)
        return max(met, self.heaviest, self.lost)


def search_units(lm: LM, state: State, cut: UnitAutomaton, k: int, calls: int) -> UnitSearch:
    """The k likeliest units behind the one row of `state`, a law of bytes, in at most so many calls of the model.

    A string of bytes is as likely as all units that begin with it. So the heaviest is read first, and when none is left
    that is heavier than the k-th unit, no unit is likelier than those.
    """
    out = UnitSearch(lm, cut)
    if state.bounds is not None:
        out.most = float(state.bounds.most[0])
        out.dropped = math.exp(state.bounds.shares(0)[1])
    out.off = out.dropped
    _read(out, [(b"", cut.first, 1.0, 0.0)], state)
    while out.calls < calls and out.heaviest > out.least(k):
        floor = max(out.least(k), out.heaviest * SHARE)
        some: list[tuple[int, int]] = []
        while len(some) < WIDTH and out.heaviest > floor:
            _, node, which = heapq.heappop(out.heap)
            some.append((node, which))
            out.push(node, which + 1)
        _advance(out, some)
    while out.calls < calls and (some := _unsettled(out, k)):
        _advance(out, some)
    return out


def _unsettled(out: UnitSearch, k: int) -> list[tuple[int, int]]:
    """The heaviest strings that may turn out to be a boundary behind one of the k likeliest units."""
    units = {unit: f.p for unit, f in out.top(k) if f.open > OPEN * f.p}
    found = []
    for number, node in enumerate(out.nodes) if units else ():
        if node.state is None or not any(node.read.startswith(u.spelled) for u in units):
            continue
        for which, byte in enumerate(node.bytes.tolist()):
            unit = out.cut.pending(int(out.cut.table(node.at)[byte]), node.read + bytes([byte]))
            if unit in units and (number, which) not in out.taken and node.mass[which] > 0:
                found.append((float(node.mass[which]), number, which))
    return [(number, which) for _, number, which in heapq.nlargest(WIDTH, found)]


def _advance(out: UnitSearch, taken: list[tuple[int, int]]) -> None:
    """Read these strings, in one call of the model."""
    out.calls += 1
    out.taken.update(taken)
    states: dict[int, list[tuple[int, int]]] = {}
    for number, which in taken:
        states.setdefault(id(out.nodes[number].state), []).append((number, which))
    parts, rows, last = [], [], []
    for group in states.values():
        held = out.nodes[group[0][0]].state
        assert held is not None  # noqa: S101  (ours: what is given up is not on the heap)
        parts.append(held.take([out.nodes[number].row for number, _ in group]))
        for number, which in group:
            node = out.nodes[number]
            byte, mass = int(node.bytes[which]), float(node.mass[which])
            read, at = node.read + bytes([byte]), int(out.cut.table(node.at)[byte])
            out.left -= mass
            unit = out.cut.pending(at, read)
            if unit is not None:
                out.units[unit].open -= mass
            rows.append((read, at, mass, node.dropped))
            last.append([byte])
    state = parts[0].cat(*parts[1:]) if len(parts) > 1 else parts[0]
    _read(out, rows, out.lm.extend(state, np.array(last)))
    _give_up(out)


def _read(out: UnitSearch, rows: list[tuple[bytes, int, float, float]], state: State) -> None:
    """Share out the mass of strings by the laws behind them: to units that are over, and to longer strings."""
    # What a beam has in reserve counts as dropped: no unit is made of bytes that are likely for want of knowledge only.
    logp = state.logp if state.bounds is None else state.bounds.logp
    laws = np.exp(np.asarray(logp, dtype=np.float64))
    for row, (read, at, p, before) in enumerate(rows):
        law, table = laws[row] / laws[row].sum(), out.cut.table(at)
        low, dropped = _bounds(out, state, row, p)
        out.off += max(dropped - before, 0.0)
        shares: dict[TextUnit, float] = {}
        for byte in np.flatnonzero((table == DONE) & (law[:256] > 0)).tolist():
            unit = out.cut.unit(at, read, byte)
            shares[unit] = shares.get(unit, 0.0) + law[byte]
        if len(law) > 256 and law[256] > 0:
            unit = out.cut.ended(at, read)
            shares[unit] = shares.get(unit, 0.0) + law[256]
        going = np.flatnonzero((table != DONE) & (law[:256] > 0))
        going = going[np.argsort(-law[going], kind="stable")]
        mass = p * law[going]
        out.left += float(mass.sum())
        opened: dict[TextUnit, float] = {}
        for byte, m in zip(going.tolist(), mass.tolist()):
            pending = out.cut.pending(int(table[byte]), read + bytes([byte]))
            if pending is not None:
                opened[pending] = opened.get(pending, 0.0) + m
        for unit in {**shares, **opened}:
            found = out.units.setdefault(unit, UnitMass(dropped=out.dropped))
            found.p += p * shares.get(unit, 0.0)
            found.low += low * shares.get(unit, 0.0)
            found.open += opened.get(unit, 0.0)
            found.dropped += dropped
        out.nodes.append(_Node(len(out.nodes), read, at, state, row, going, mass, dropped))
        out.push(len(out.nodes) - 1, 0)


def _bounds(out: UnitSearch, state: State, row: int, p: float) -> tuple[float, float]:
    """What the string of a row has for certain, and what was dropped on the way from the prefix to it."""
    found = state.bounds
    if found is None or np.isneginf(found.dropped[row]):
        return p, 0.0
    kept, dropped = np.exp(np.array([found.kept[row], found.dropped[row]]) - out.most).tolist()
    return min(kept, p), max(dropped - out.dropped, 0.0)


def _give_up(out: UnitSearch) -> None:
    """Let go of states until what is held is bounded: those whose heaviest string is the lightest."""
    best: dict[int, float] = {}
    numbers: dict[int, int] = {}
    for k, node in enumerate(out.nodes):
        if node.state is not None:
            some = [
                float(m)
                for which, m in enumerate(node.mass[: len(out.taken) + 1])
                if (k, which) not in out.taken
            ]
            best[id(node.state)] = max(best.get(id(node.state), 0.0), some[0] if some else 0.0)
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
