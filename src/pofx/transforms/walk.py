"""The beam of one text that is known beforehand: the law of `Covers`, with the model asked about many histories at once."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pofx.transforms.covers import END, worth
from pofx.transforms.readings import Reading, Spellings

# What a candidate closes, where that is no token: it is still open, or the text is over.
OPEN, OVER = -1, -2
# Tokens that are asked for ahead along a spelling that is not the tokenizer's own: it may soon be dropped.
AHEAD = 32
# Bytes gone on trial at least. Where each pass makes few bytes certain, long trials cost more than they find.
TRIAL = 64
# log of a history's share of the mass from which on its next tokens are asked for with it.
SURE = math.log(0.3)


@dataclass
class Node:
    """A history of a text: its last token, and where in the text it is over. age: how many asked-for ones it is off the
    tokenizer's own spelling."""

    above: int
    token: int
    place: int
    age: int
    reading: Reading | None = None


@dataclass(frozen=True)
class Hypothesis:
    """A history with an open token that shares `depth` bytes with the text. prior: log P(history)."""

    node: int
    depth: int
    prior: float
    ends: bool


@dataclass(frozen=True)
class Step:
    """Of one byte, logs: P before and behind it by the hypotheses kept, what was dropped before, and the leak."""

    before: float
    after: float
    pruned: float
    leak: float


@dataclass(frozen=True)
class _Candidate:
    parent: int
    token: int
    weight: float


@dataclass
class Walk:
    """Walks a text as far as the readings go; histories whose laws are missing are listed in `missing`.

    data: bytes, and END where the text is over. cuts: (place, token) of the tokenizer's own spelling, in order, each with
    the place where the token is over. What stands behind a missing history counts nothing until it is read, so the
    walk goes on beyond it on trial, `reach` bytes at most, to find what else will be asked; `steps` are certain.
    """

    data: Sequence[int]
    spellings: Spellings
    cuts: Sequence[tuple[int, int]]
    beam: int
    nodes: list[Node] = field(default_factory=lambda: [Node(-1, -1, 0, 0)])
    steps: list[Step] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    alive: tuple[Hypothesis, ...] = (Hypothesis(0, 0, 0.0, True),)
    total: float = 0.0
    pruned: float = -math.inf
    children: dict[tuple[int, int], int] = field(default_factory=dict)
    reach: int = 1024

    def __post_init__(self) -> None:
        self._next = {place: k for k, (place, _) in enumerate(self.cuts, 1)}
        self._next[0] = 0

    @property
    def done(self) -> bool:
        """Whether every byte is certain."""
        return len(self.steps) == len(self.data)

    def go(self, stop: int, spare: int) -> None:
        """As far as the readings go, before byte `stop`; then on trial, to fill `missing`, up to `spare` with guesses."""
        self.missing = []
        asked: dict[int, float] = {}
        alive, total, pruned = self.alive, self.total, self.pruned
        certain, first = True, len(self.steps)
        for i in range(first, min(stop, len(self.data))):
            if len(self.steps) + self.reach <= i:
                break
            unread = [h for h in alive if self.nodes[h.node].reading is None]
            if unread and certain:
                self.alive, self.total, self.pruned = alive, total, pruned
                certain = False
            for h in unread:
                asked[h.node] = max(asked.get(h.node, -math.inf), h.prior - total)
            kept = tuple(h for h in alive if self.nodes[h.node].reading is not None)
            found = self._followed(kept, self.data[i])
            after = _logsumexp([c.weight for c in found])
            if certain:
                self.steps.append(Step(total, after, pruned, self._leak(kept, total)))
            elif not kept:
                break
            # What is unknown keeps its share, and its place in the beam: else what it would drop is asked for, too.
            unread = [replace(h, prior=h.prior - total + after) for h in unread]
            found += [_Candidate(k, OPEN, h.prior) for k, h in enumerate(unread, len(kept))]
            alive, total, pruned = self._kept((*kept, *unread), found, after, pruned, i + 1)
        if certain:
            self.alive, self.total, self.pruned = alive, total, pruned
        sure = len(self.steps) - first
        self.reach = max(self.reach // 2, TRIAL) if sure < self.reach // 16 else 2 * self.reach
        self._ask(asked, stop, spare)

    def seed(self, stop: int) -> None:
        """The tokenizer's own spelling up to byte `stop` is sure to be asked for: into `missing`."""
        self.missing = sorted({*self.missing, *self._along(0, stop, len(self.cuts))})

    def reroot(self) -> list[int]:
        """Forget all histories but those alive; the tokens that these share at the front, which are read once more."""
        lines = [self._line(h.node) for h in self.alive]
        shared = 0
        while lines and all(len(x) > shared and x[shared] == lines[0][shared] for x in lines):
            shared += 1
        path = [self.nodes[k].token for k in lines[0][1:shared]] if lines else []
        root = lines[0][shared - 1] if lines else 0
        old = sorted({root, *(k for x in lines for k in x[shared:])})
        number = {k: i for i, k in enumerate(old)}
        above = [-1 if k == root else number[self.nodes[k].above] for k in old]
        self.nodes = [replace(self.nodes[k], above=a) for k, a in zip(old, above)]
        self.children = {(n.above, n.token): k for k, n in enumerate(self.nodes) if k}
        self.alive = tuple(replace(h, node=number[h.node]) for h in self.alive)
        return path

    def _line(self, node: int) -> list[int]:
        line = []
        while node >= 0:
            line.append(node)
            node = self.nodes[node].above
        return line[::-1]

    def _ask(self, asked: dict[int, float], stop: int, spare: int) -> None:
        """Histories without a law, and next tokens: of those likely to live on, or of all in a pass with room to spare."""
        free = (spare - len(asked)) // len(asked) if asked else 0
        more = []
        for number, share in asked.items():
            sure = min(AHEAD, 2 ** (self.nodes[number].age - 1)) if share > SURE else 0
            more += self._along(number, stop, max(sure, free))
        self.missing = sorted({*asked, *more})

    def _along(self, number: int, stop: int, most: int) -> list[int]:
        """What has no law yet of a history and its next tokens, at most so many, as the tokenizer cuts the text."""
        out = [] if self.nodes[number].reading is not None else [number]
        for _ in range(most):
            node = self.nodes[number]
            following = self._cut(node.place)
            if following is None or following[0] > stop:
                break
            number = self._child(number, following[1], following[0], node.age)
            if self.nodes[number].reading is None:
                out.append(number)
        return out

    def _cut(self, place: int) -> tuple[int, int] | None:
        """The tokenizer's next token behind a place; within one of its tokens, the longest that is over with it."""
        k = self._next.get(place)
        if k is not None:
            return self.cuts[k] if k < len(self.cuts) else None
        k = bisect_right(self.cuts, (place, len(self.data) + END))
        if k == len(self.cuts):
            return None
        for d, (lo, mid, _) in reversed(list(enumerate(self.spellings.of(place), 1))):
            if lo < mid and place + d <= self.cuts[k][0]:
                return place + d, self.spellings.token(lo)
        return None

    def _child(self, above: int, token: int, place: int, age: int) -> int:
        found = self.children.get((above, token))
        if found is None:
            found = self.children[above, token] = len(self.nodes)
            self.nodes.append(Node(above, token, place, age))
        return found

    def _leak(self, alive: Sequence[Hypothesis], total: float) -> float:
        if total == -math.inf:
            return 0.0
        return sum(
            math.exp(h.prior - total) * -math.expm1(self._reading(h).spelling) for h in alive if h.ends
        )

    def _reading(self, h: Hypothesis) -> Reading:
        reading = self.nodes[h.node].reading
        assert reading is not None  # noqa: S101  (ours: the others are left out)
        return reading

    def _followed(self, alive: Sequence[Hypothesis], byte: int) -> list[_Candidate]:
        """What becomes of hypotheses that have a law when the text goes on with a byte, or is over; the heaviest first."""
        closed: list[_Candidate] = []
        still: list[_Candidate] = []
        over: list[_Candidate] = []
        for k, h in enumerate(alive):
            reading = self._reading(h)
            base = h.prior - reading.spelling
            if not math.isfinite(base):
                continue
            if byte == END:
                if h.ends:
                    over.append(_Candidate(k, OVER, base + reading.end))
            elif h.depth < len(reading.open):
                closed.extend(_Candidate(k, t, base + logp) for t, logp in reading.closed[h.depth])
                still.append(_Candidate(k, OPEN, base + reading.open[h.depth]))
        found = [c for c in (*closed, *still, *over) if c.weight > -math.inf]
        return sorted(found, key=lambda c: -c.weight)

    def _kept(
        self, alive: Sequence[Hypothesis], found: list[_Candidate], total: float, pruned: float, place: int
    ) -> tuple[tuple[Hypothesis, ...], float, float]:
        """As `Candidates.kept`: hypotheses, log of their mass, and of what was dropped so far."""
        found = [c for c in found if c.token != OVER]
        weights: dict[int, list[float]] = {}
        for c in found:
            weights.setdefault(c.parent, []).append(c.weight)
        ranked = sorted((-_logsumexp(w), parent) for parent, w in weights.items())
        heavy = {parent for _, parent in ranked[: self.beam]}
        least = total + worth(self.beam)
        kept = [c for c in found if c.parent in heavy and (c.token == OPEN or c.weight >= least)]
        if all(c.token == OPEN for c in kept):
            first = next((c for c in found if c.token != OPEN), None)
            kept += [] if first is None else [first]
            kept.sort(key=lambda c: -c.weight)
        if len(kept) < len(found):
            inside = set(map(id, kept))
            off = _logsumexp([c.weight for c in found if id(c) not in inside])
            total, pruned = _logsumexp([c.weight for c in kept]), _logsumexp([pruned, off])
        going = []
        for c in kept:
            h = alive[c.parent]
            if c.token == OPEN:
                going.append(Hypothesis(h.node, h.depth + 1, h.prior, False))
            else:
                own = self.nodes[h.node]
                node = self._child(h.node, c.token, place, own.age + 1)
                going.append(Hypothesis(node, 0, c.weight, True))
        return tuple(going), total, pruned


def _logsumexp(values: Sequence[float]) -> float:
    peak = max(values, default=-math.inf)
    if not math.isfinite(peak):
        return peak
    return peak + math.log(sum(math.exp(v - peak) for v in values))
