"""The beam of one known text: certain steps as far as histories are read, and a guess which histories to read next."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from pofx.algorithms.logspace import logsumexp_few
from pofx.transforms.bytewise.beam import EMPTY_TEXT, Beam, BeamOverText, Hypothesis
from pofx.transforms.bytewise.history_tree import HistoryTree
from pofx.transforms.bytewise.pruning import OPEN, Candidate
from pofx.transforms.bytewise.steps import Step

# The most tokens that are requested along another spelling than the tokenizer's: the beam may soon drop such a spelling.
AHEAD = 32
# The fewest bytes of a trial. Where each pass makes few bytes certain, long trials cost more than they save.
TRIAL = 64
# log of the least share of the mass for which the next tokens of a history are requested together with the history.
SURE = math.log(0.3)


@dataclass
class KnownTextBeam:
    """A beam that moves along a known text as far as the history tree has masses.

    At a history without masses the certain steps end. The beam then goes on by trial: an unread history gets no
    continuation, and each further history without masses that the trial meets is listed in `missing`.

    Attributes:
        text: The text, its history tree and the rules of the beam.
        steps: The certain steps, one a byte.
        missing: Numbers of the histories that the model is to read next.
        now: The beam after the certain steps.
        reach: The most bytes of the next trial.
    """

    text: BeamOverText
    steps: list[Step] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    now: Beam = EMPTY_TEXT
    reach: int = 1024

    @property
    def tree(self) -> HistoryTree:
        """The histories of the text."""
        return self.text.tree

    @property
    def done(self) -> bool:
        """Whether the step of every byte is certain."""
        return len(self.steps) == len(self.text.data)

    def advance(self, stop: int, spare: int) -> None:
        """Take the certain steps before byte `stop`, then list in `missing` the histories that the model is to read next.

        Args:
            stop: The place where steps and trial end.
            spare: The number of histories that the next pass of the model reads in the time of one.
        """
        first, stop = len(self.steps), min(stop, len(self.text.data))
        self._take_certain_steps(stop)
        asked = self._try_on(min(stop, len(self.steps) + self.reach))
        certain = len(self.steps) - first
        self.reach = max(self.reach // 2, TRIAL) if certain < self.reach // 16 else 2 * self.reach
        self._ask(asked, stop, spare)

    def ask_tokenizer(self, stop: int) -> None:
        """Add the tokenizer's own spelling up to byte `stop` to `missing`, since a beam needs it nearly always."""
        self.missing = sorted({*self.missing, *self.tree.unread_along(0, stop, len(self.tree.cuts))})

    def reroot(self) -> list[int]:
        """Remove all histories that the beam does not need; the last history that the others share becomes the root.

        Returns:
            The tokens from the old root of the tree to the new root.
        """
        spare = [] if self.now.reserve is None else [self.now.reserve]
        path, number = self.tree.keep([h.node for h in (*self.now.alive, *spare)])
        alive = tuple(h._replace(node=number[h.node]) for h in self.now.alive)
        reserve = spare[0]._replace(node=number[spare[0].node]) if spare else None
        self.now = self.now._replace(alive=alive, reserve=reserve)
        return path

    def _take_certain_steps(self, stop: int) -> None:
        for i in range(len(self.steps), stop):
            following = self.text.continued(self.now, i)
            if following.unread:
                return
            step = self.text.step(self.now, following)
            self.steps.append(step)
            self.now = self.text.kept(following.beam, following.candidates, step.after, i + 1)

    def _try_on(self, stop: int) -> dict[int, float]:
        """Go on by trial up to byte `stop`.

        Returns:
            For each history without masses that the trial met, log of its largest share of the beam's mass, nats.
        """
        asked: dict[int, float] = {}
        beam = self.now
        for i in range(len(self.steps), stop):
            unread = self.text.unread(beam.alive)
            if unread:
                kept = tuple(h for h in beam.alive if self.tree.nodes[h.node].masses is not None)
                candidates = self.text.candidates(kept, i)
                for h in unread:
                    asked[h.node] = max(asked.get(h.node, -math.inf), h.prior - beam.total)
            else:
                beam, candidates, in_reserve = self.text.continued(beam, i)
                kept = beam.alive
                if in_reserve:
                    return asked | {h.node: 0.0 for h in in_reserve}
            if not kept:
                break
            after = logsumexp_few([c.weight for c in candidates])
            # An unread hypothesis has an unchanged share and place. Otherwise lighter histories would take its place, and
            # the trial would request these histories, too.
            unread = [Hypothesis(h.node, h.depth, h.prior - beam.total + after, h.ends) for h in unread]
            candidates += [Candidate(k, OPEN, h.prior) for k, h in enumerate(unread, len(kept))]
            beam = self.text.kept(beam._replace(alive=(*kept, *unread)), candidates, after, i + 1)
        return asked

    def _ask(self, asked: dict[int, float], stop: int, spare: int) -> None:
        """List in `missing` the requested histories, and the next tokens of histories that are likely to go on.

        A pass with room to spare also reads the next tokens of all requested histories.
        """
        free = (spare - len(asked)) // len(asked) if asked else 0
        more = []
        for number, share in asked.items():
            likely = min(AHEAD, 2 ** (self.tree.nodes[number].age - 1)) if share > SURE else 0
            more += self.tree.unread_along(number, stop, max(likely, free))
        self.missing = sorted({*asked, *more})
