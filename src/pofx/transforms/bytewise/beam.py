"""One byte of a beam over a known text: hypotheses as records, whose continuations have masses from a history tree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from pofx.algorithms.logspace import logsumexp_few
from pofx.transforms.bytewise.history_tree import HistoryTree
from pofx.transforms.bytewise.hypotheses import END
from pofx.transforms.bytewise.pruning import OPEN, OVER, Candidate, prune
from pofx.transforms.bytewise.steps import Step
from pofx.transforms.bytewise.token_masses import TokenMasses


class Hypothesis(NamedTuple):
    """A history, and an open token that begins with the next bytes of the text.

    A hypothesis is a tuple, since a step makes seven hypotheses, and making a frozen dataclass takes three times as long.

    Attributes:
        node: The number of the history in the tree.
        depth: The number of bytes of the text that the open token shares.
        prior: log P(history), nats.
        ends: Whether the text may end here, as no byte of the open token has been read.
    """

    node: int
    depth: int
    prior: float
    ends: bool


class Beam(NamedTuple):
    """The hypotheses at one place of a text.

    Attributes:
        alive: The hypotheses that go on.
        total: log of their mass, nats.
        lost: log of the mass that was dropped so far, nats.
        reserve: A closed token whose next-token distribution is not read, unless no other hypothesis goes on.
    """

    alive: tuple[Hypothesis, ...]
    total: float
    lost: float
    reserve: Hypothesis | None = None

    @property
    def spare(self) -> float:
        """Log of the mass in reserve, nats; −∞ for none."""
        return -math.inf if self.reserve is None else self.reserve.prior

    @property
    def pruned(self) -> float:
        """Log of the mass that is not among the hypotheses: dropped, or in reserve, nats."""
        return logsumexp_few([self.lost, self.spare])


_weight = itemgetter(Candidate._fields.index("weight"))

# The beam before the first byte.
EMPTY_TEXT = Beam((Hypothesis(0, 0, 0.0, True),), 0.0, -math.inf)


class Continuation(NamedTuple):
    """A beam, and the candidates that its hypotheses become after one more byte.

    Attributes:
        beam: The beam that reads the byte: a beam from the reserve where no other hypothesis went on.
        candidates: The candidates that the hypotheses become, the heaviest first.
        unread: Hypotheses whose masses are missing; the candidates are known only where there are no such hypotheses.
    """

    beam: Beam
    candidates: list[Candidate]
    unread: list[Hypothesis]

    @property
    def after(self) -> float:
        """Log of the mass of the candidates, nats."""
        return logsumexp_few([c.weight for c in self.candidates])


@dataclass(frozen=True)
class BeamOverText:
    """The rules by which a beam moves along one known text.

    Attributes:
        data: The bytes of the text, and `END` where the text is over.
        tree: The histories of the text.
        size: The most histories of a beam.
    """

    data: Sequence[int]
    tree: HistoryTree
    size: int

    def unread(self, hypotheses: Sequence[Hypothesis]) -> list[Hypothesis]:
        """Return the hypotheses whose history the model has not read."""
        return [h for h in hypotheses if self.tree.nodes[h.node].masses is None]

    def continued(self, beam: Beam, i: int) -> Continuation:
        """Read byte i of the text; where no hypothesis goes on, start again with the hypothesis in reserve."""
        unread = self.unread(beam.alive)
        if unread:
            return Continuation(beam, [], unread)
        candidates = self.candidates(beam.alive, i)
        if candidates or beam.reserve is None:
            return Continuation(beam, candidates, [])
        restarted = Beam((beam.reserve,), beam.reserve.prior, beam.lost)
        for k in range(self.tree.nodes[beam.reserve.node].place, i):
            following = self.continued(restarted, k)
            if following.unread:
                return following
            restarted = self.kept(following.beam, following.candidates, following.after, k + 1)
        return self.continued(restarted, i)

    def candidates(self, hypotheses: Sequence[Hypothesis], i: int) -> list[Candidate]:
        """List the candidates that hypotheses with known masses become after byte i of the text, the heaviest first."""
        byte = self.data[i]
        possible: list[Candidate] = []
        still: list[Candidate] = []
        for k, h in enumerate(hypotheses):
            masses = self._masses(h)
            base, depth = h.prior - masses.spelling, h.depth
            if not math.isfinite(base):
                continue
            if byte == END:
                if h.ends and (weight := base + masses.end) > -math.inf:
                    possible.append(Candidate(k, OVER, weight))
            elif depth < len(masses.open):
                for token, logp in masses.closed[depth]:
                    if (weight := base + logp) > -math.inf:
                        possible.append(Candidate(k, token, weight))
                if (weight := base + masses.open[depth]) > -math.inf:
                    still.append(Candidate(k, OPEN, weight))
        possible += still
        possible.sort(key=_weight, reverse=True)
        return possible

    def kept(self, beam: Beam, candidates: Sequence[Candidate], after: float, place: int) -> Beam:
        """Apply the pruning rule.

        Args:
            beam: The beam that has read the byte.
            candidates: The candidates that its hypotheses became, the heaviest first.
            after: log of the mass of the candidates, nats.
            place: The place after the byte.
        """
        pruning = prune(candidates, after, self.size, beam.spare)
        alive = tuple(self._hypothesis(beam, candidates[k], place) for k in pruning.kept)
        reserve = None if pruning.cleared else beam.reserve
        if pruning.reserve is not None:
            reserve = self._hypothesis(beam, candidates[pruning.reserve], place)
        lost = beam.lost
        if pruning.dropped > -math.inf:
            lost = logsumexp_few([lost, pruning.dropped])
        return Beam(alive, pruning.total, lost, reserve)

    def step(self, before: Beam, following: Continuation) -> Step:
        """Return the masses of the beam `before` and of its continuation, as the step of one byte."""
        after = following.after
        return Step(
            total=before.total,
            spare=before.spare,
            after=after,
            restarted=following.beam is not before,
            most=logsumexp_few([after, following.beam.pruned]),
            leak=self._leak(before),
        )

    def _leak(self, beam: Beam) -> float:
        if beam.total == -math.inf:
            return 0.0
        return sum(
            math.exp(h.prior - beam.total) * -math.expm1(self._masses(h).spelling)
            for h in beam.alive
            if h.ends
        )

    def _masses(self, h: Hypothesis) -> TokenMasses:
        masses = self.tree.nodes[h.node].masses
        assert masses is not None  # noqa: S101  (ours: hypotheses without masses are left out)
        return masses

    def _hypothesis(self, beam: Beam, c: Candidate, place: int) -> Hypothesis:
        h = beam.alive[c.parent]
        if c.token == OPEN:
            return Hypothesis(h.node, h.depth + 1, h.prior, False)
        node = self.tree.child(h.node, c.token, place, self.tree.nodes[h.node].age + 1)
        return Hypothesis(node, 0, c.weight, True)
