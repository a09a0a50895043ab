"""Beams of known texts, side by side: the model reads the histories of all texts in few passes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pofx.errors import NotText
from pofx.lm.continuation_tree import Branches
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.lm.trace import Ints
from pofx.transforms.bytewise.beam import BeamOverText
from pofx.transforms.bytewise.history_tree import HistoryTree
from pofx.transforms.bytewise.hypotheses import END
from pofx.transforms.bytewise.known_text_beam import KnownTextBeam
from pofx.transforms.bytewise.sorted_tokens import SortedVocabulary
from pofx.transforms.bytewise.steps import Step
from pofx.transforms.bytewise.token_masses import Spellings, token_masses

# The number of bytes of all texts together for which histories are requested at once, and the fewest of each text.
HORIZON = 1024
LEAST = 64
# The number of histories after which the tree is made again: SmolLM2 needs 1 to 4 histories a byte, of 46 kB each.
MOST = 3000
# The number of histories that a pass reads in the time of one, since the time of a pass is the time to fetch the weights.
# Without guesses, 1,000 bytes at a beam of 3 took 1,800 histories in 226 passes and 33 s. With up to 24 guesses a pass they
# took 2,300 histories in 70 passes and 17 s; 8 guesses were best.
SPARE = 8


def beams(
    tokens: SortedVocabulary,
    paths: Sequence[Ints],
    beam: int,
    root: State | None = None,
    row: Sequence[int] = (),
) -> list[list[Step]]:
    """Return the steps of a beam over each path of bytes, the same steps that `Bytewise.extend` takes byte by byte.

    Each beam goes as far as the known masses allow, and then goes on by trial, to find the histories that the beam will
    need. One pass of the model reads these histories, and the beam goes on again. So 118 bytes take 7 to 16 passes in place
    of 118.

    Args:
        tokens: The token model.
        paths: Ids of bytes; EOS, id 256, may only stand last.
        beam: The most histories of a beam.
        root: A state of the token model, from whose rows the paths start; without it paths start after x0.
        row: The row of `root` from which each path starts; row 0 by default.
    """
    known = [_known_text_beam(tokens, p, beam) for p in paths]
    tree = SharedHistoryTree(
        tokens, tokens.lm.start(1) if root is None else root, known, row or [0] * len(known)
    )
    tree.read_roots(range(len(known)))
    stops = [0] * len(known)
    while active := [k for k, b in enumerate(known) if not b.done]:
        there = all(len(known[k].steps) >= stops[k] for k in active)
        if there and tree.size > MOST:
            tree = tree.rerooted(active)
        for k in active:
            if there or tree.size <= MOST:
                stops[k] = len(known[k].steps) + max(HORIZON // len(active), LEAST)
            known[k].advance(stops[k], SPARE // len(active))
            known[k].ask_tokenizer(stops[k])
        tree.read_missing([k for k in active if known[k].missing])
    return [b.steps for b in known]


def _known_text_beam(tokens: SortedVocabulary, path: Ints, beam: int) -> KnownTextBeam:
    data = path[:-1] if len(path) and path[-1] == END else path
    tree = HistoryTree(Spellings(tokens.ranges, data), _cuts(tokens.lm, bytes(data.tolist())))
    return KnownTextBeam(BeamOverText(path.tolist(), tree, beam))


def _cuts(lm: LM, text: bytes) -> list[tuple[int, int]]:
    """Return the end and the id of each token of the tokenizer's own spelling; [] where no tokens spell the text."""
    try:
        ids = lm.vocab.encode(text)
    except NotText:
        return []
    spelled = [lm.vocab.token_bytes[i] for i in ids]
    if b"".join(b or b"" for b in spelled) != text:
        return []
    return list(zip(np.cumsum([len(b or b"") for b in spelled]).tolist(), ids))


class SharedHistoryTree:
    """The histories of several beams as branches of one state of the model.

    Args:
        tokens: The token model.
        state: The state from which the branches grow.
        beams: The beams.
        row: The row of `state` from which each beam starts.
    """

    def __init__(
        self, tokens: SortedVocabulary, state: State, beams: Sequence[KnownTextBeam], row: Sequence[int]
    ) -> None:
        self.tokens, self.state, self.beams, self.row = tokens, state, beams, row
        self.branches: Branches = tokens.lm.branches(state)
        self.size = 0
        # For each beam, the number of each of its histories among the branches; the root of its tree has −1 − row.
        self.number: list[dict[int, int]] = [{0: -1 - r} for r in row]

    def read_roots(self, asking: Sequence[int]) -> None:
        """Set the masses of the first history of some beams, from the next-token distributions of the state."""
        roots = [self.beams[k].tree.nodes[0] for k in asking]
        wanted = [(self.row[k], self.beams[k].tree.spellings, root.place) for k, root in zip(asking, roots)]
        if wanted:
            for root, masses in zip(roots, token_masses(self.tokens, self.state.logp, wanted)):
                root.masses = masses

    def read_missing(self, asking: Sequence[int]) -> None:
        """Let the model read the missing histories of some beams, each history once."""
        if not asking:
            return
        parent: list[int] = []
        token: list[int] = []
        known: dict[tuple[int, int], int] = {}
        readers: dict[int, list[tuple[int, int]]] = {}
        for k in asking:
            beam, number = self.beams[k], self.number[k]
            for node in beam.missing:
                above, last = number[beam.tree.nodes[node].parent], beam.tree.nodes[node].token
                if (above, last) not in known:
                    known[above, last] = self.size + len(parent)
                    parent.append(above)
                    token.append(last)
                number[node] = known[above, last]
                readers.setdefault(number[node], []).append((k, node))
        self.size += len(parent)
        for numbers, logp in self.branches.grow(
            np.array(parent, dtype=np.int64), np.array(token, dtype=np.int64)
        ):
            reading = [
                (row, self.beams[k].tree, node)
                for row, n in enumerate(numbers.tolist())
                for k, node in readers[n]
            ]
            wanted = [(row, tree.spellings, tree.nodes[node].place) for row, tree, node in reading]
            for (_, tree, node), masses in zip(reading, token_masses(self.tokens, logp, wanted)):
                tree.nodes[node].masses = masses

    def rerooted(self, active: Sequence[int]) -> SharedHistoryTree:
        """Return a new tree with the histories of the beams alone; the model reads these histories once more."""
        rows: dict[tuple[int, ...], int] = {}
        states: list[State] = []
        row = [0] * len(self.beams)
        for k in active:
            path = self.beams[k].reroot()
            key = (self.row[k], *path)
            if key not in rows:
                rows[key] = len(states)
                state = self.state.take([self.row[k]])
                states.append(self.tokens.lm.extend(state, np.array([path])) if path else state)
            row[k] = rows[key]
        together = states[0].cat(*states[1:]) if len(states) > 1 else states[0]
        tree = SharedHistoryTree(self.tokens, together, self.beams, row)
        tree.read_roots([k for k in active if self.beams[k].tree.nodes[0].masses is None])
        for k in active:
            self.beams[k].missing = list(range(1, len(self.beams[k].tree.nodes)))
        if any(self.beams[k].missing for k in active):
            tree.read_missing(active)
        return tree
