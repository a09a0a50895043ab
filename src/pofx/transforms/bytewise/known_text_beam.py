"""The beam of one text that is known beforehand: the law of `Covers`, with the model asked about many histories at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pofx.algorithms.logspace import logsumexp_few
from pofx.transforms.bytewise.histories import Histories
from pofx.transforms.bytewise.hypotheses import END
from pofx.transforms.bytewise.pruning import OPEN, OVER, Candidate, pruned
from pofx.transforms.bytewise.steps import Step
from pofx.transforms.bytewise.token_masses import Reading

# Tokens that are asked for ahead along a spelling that is not the tokenizer's own: it may soon be dropped.
AHEAD = 32
# Bytes gone on trial at least. Where each pass makes few bytes certain, long trials cost more than they find.
TRIAL = 64
# log of a history's share of the mass from which on its next tokens are asked for with it.
SURE = math.log(0.3)


@dataclass(frozen=True)
class Hypothesis:
    """A history with an open token that shares `depth` bytes with the text. prior: log P(history)."""

    node: int
    depth: int
    prior: float
    ends: bool


@dataclass(frozen=True)
class Beam:
    """What goes on at a place: hypotheses, log of their mass and of what was dropped; and what is in reserve."""

    alive: tuple[Hypothesis, ...]
    total: float
    lost: float
    reserve: Hypothesis | None = None

    @property
    def spare(self) -> float:
        """log of the mass in reserve."""
        return -math.inf if self.reserve is None else self.reserve.prior

    @property
    def pruned(self) -> float:
        """log of the mass of all that is not kept."""
        return logsumexp_few([self.lost, self.spare])


@dataclass
class Walk:
    """Walks a text as far as the readings go; histories whose laws are missing are listed in `missing`.

    data: bytes, and END where the text is over. What stands behind a missing history counts nothing
    until it is read, so the walk goes on beyond it on trial, `reach` bytes at most, to find what else will be asked;
    `steps` are certain.
    """

    data: Sequence[int]
    tree: Histories
    beam: int
    steps: list[Step] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    now: Beam = Beam((Hypothesis(0, 0, 0.0, True),), 0.0, -math.inf)
    reach: int = 1024

    @property
    def done(self) -> bool:
        """Whether every byte is certain."""
        return len(self.steps) == len(self.data)

    def go(self, stop: int, spare: int) -> None:
        """As far as the readings go, before byte `stop`; then on trial, to fill `missing`, up to `spare` with guesses."""
        first, stop = len(self.steps), min(stop, len(self.data))
        self._certain(stop)
        asked = self._on_trial(min(stop, len(self.steps) + self.reach))
        sure = len(self.steps) - first
        self.reach = max(self.reach // 2, TRIAL) if sure < self.reach // 16 else 2 * self.reach
        self._ask(asked, stop, spare)

    def _certain(self, stop: int) -> None:
        """The steps of the bytes before `stop`, up to the first one for which a law is missing."""
        for i in range(len(self.steps), stop):
            beam, found, unread = self._continued(self.now, i)
            if unread:
                return
            after = logsumexp_few([c.weight for c in found])
            self.steps.append(self._step(self.now, beam, after))
            self.now = self._kept(beam, found, after, i + 1)

    def _on_trial(self, stop: int) -> dict[int, float]:
        """Histories that the bytes before `stop` will ask for, and log of the largest share of the mass that each has."""
        asked: dict[int, float] = {}
        beam = self.now
        for i in range(len(self.steps), stop):
            unread = self._unread(beam.alive)
            if unread:
                kept = tuple(h for h in beam.alive if self.tree.nodes[h.node].reading is not None)
                found = self._followed(kept, self.data[i])
                for h in unread:
                    asked[h.node] = max(asked.get(h.node, -math.inf), h.prior - beam.total)
            else:
                beam, found, healing = self._continued(beam, i)
                kept = beam.alive
                if healing:
                    return asked | {h.node: 0.0 for h in healing}
            if not kept:
                break
            after = logsumexp_few([c.weight for c in found])
            # What is unknown keeps its share, and its place in the beam: else what it would drop is asked for, too.
            unread = [replace(h, prior=h.prior - beam.total + after) for h in unread]
            found += [Candidate(k, OPEN, h.prior) for k, h in enumerate(unread, len(kept))]
            beam = self._kept(replace(beam, alive=(*kept, *unread)), found, after, i + 1)
        return asked

    def seed(self, stop: int) -> None:
        """The tokenizer's own spelling up to byte `stop` is sure to be asked for: into `missing`."""
        self.missing = sorted({*self.missing, *self.tree.along(0, stop, len(self.tree.cuts))})

    def reroot(self) -> list[int]:
        """Forget all histories but those alive; the tokens that these share at the front, which are read once more."""
        spare = [] if self.now.reserve is None else [self.now.reserve]
        held = (*self.now.alive, *spare)
        path, number = self.tree.keep([h.node for h in held])
        moved = [replace(h, node=number[h.node]) for h in held]
        alive, last = (moved[:-1], moved[-1]) if spare else (moved, None)
        self.now = replace(self.now, alive=tuple(alive), reserve=last)
        return path

    def _ask(self, asked: dict[int, float], stop: int, spare: int) -> None:
        """Histories without a law, and next tokens: of those likely to live on, or of all in a pass with room to spare."""
        free = (spare - len(asked)) // len(asked) if asked else 0
        more = []
        for number, share in asked.items():
            sure = min(AHEAD, 2 ** (self.tree.nodes[number].age - 1)) if share > SURE else 0
            more += self.tree.along(number, stop, max(sure, free))
        self.missing = sorted({*asked, *more})

    def _unread(self, alive: Sequence[Hypothesis]) -> list[Hypothesis]:
        return [h for h in alive if self.tree.nodes[h.node].reading is None]

    def _continued(self, beam: Beam, i: int) -> tuple[Beam, list[Candidate], list[Hypothesis]]:
        """A beam and what becomes of it behind byte i, begun anew with what is in reserve if need be; or what is unread."""
        unread = self._unread(beam.alive)
        if unread:
            return beam, [], unread
        found = self._followed(beam.alive, self.data[i])
        if found or beam.reserve is None:
            return beam, found, []
        anew = Beam((beam.reserve,), beam.reserve.prior, beam.lost)
        for k in range(self.tree.nodes[beam.reserve.node].place, i):
            anew, found, unread = self._continued(anew, k)
            if unread:
                return anew, [], unread
            anew = self._kept(anew, found, logsumexp_few([c.weight for c in found]), k + 1)
        return self._continued(anew, i)

    def _step(self, before: Beam, beam: Beam, after: float) -> Step:
        """Of a byte behind `before`; beam: what it is read with, the same but where that had to be healed."""
        most = logsumexp_few([after, beam.pruned])
        leak = self._leak(before.alive, before.total)
        return Step(before.total, before.spare, after, beam is not before, most, leak)

    def _leak(self, alive: Sequence[Hypothesis], total: float) -> float:
        if total == -math.inf:
            return 0.0
        return sum(
            math.exp(h.prior - total) * -math.expm1(self._reading(h).spelling) for h in alive if h.ends
        )

    def _reading(self, h: Hypothesis) -> Reading:
        reading = self.tree.nodes[h.node].reading
        assert reading is not None  # noqa: S101  (ours: the others are left out)
        return reading

    def _followed(self, alive: Sequence[Hypothesis], byte: int) -> list[Candidate]:
        """What becomes of hypotheses that have a law when the text goes on with a byte, or is over; the heaviest first."""
        closed: list[Candidate] = []
        still: list[Candidate] = []
        over: list[Candidate] = []
        for k, h in enumerate(alive):
            reading = self._reading(h)
            base = h.prior - reading.spelling
            if not math.isfinite(base):
                continue
            if byte == END:
                if h.ends:
                    over.append(Candidate(k, OVER, base + reading.end))
            elif h.depth < len(reading.open):
                closed.extend(Candidate(k, t, base + logp) for t, logp in reading.closed[h.depth])
                still.append(Candidate(k, OPEN, base + reading.open[h.depth]))
        found = [c for c in (*closed, *still, *over) if c.weight > -math.inf]
        return sorted(found, key=lambda c: -c.weight)

    def _kept(self, beam: Beam, found: Sequence[Candidate], after: float, place: int) -> Beam:
        """What the rule of `pruned` keeps of candidates, the heaviest first, whose mass is `after`."""
        cut = pruned(found, after, self.beam, beam.spare)
        going = [self._hypothesis(beam, found[k], place) for k in cut.kept]
        reserve = None if cut.cleared else beam.reserve
        if cut.reserve is not None:
            reserve = self._hypothesis(beam, found[cut.reserve], place)
        return Beam(tuple(going), cut.total, logsumexp_few([beam.lost, cut.dropped]), reserve)

    def _hypothesis(self, beam: Beam, c: Candidate, place: int) -> Hypothesis:
        h = beam.alive[c.parent]
        if c.token == OPEN:
            return Hypothesis(h.node, h.depth + 1, h.prior, False)
        node = self.tree.child(h.node, c.token, place, self.tree.nodes[h.node].age + 1)
        return Hypothesis(node, 0, c.weight, True)
