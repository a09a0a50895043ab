"""Beams of texts that are known beforehand: the model is asked about many of their histories in one pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pofx.errors import NotText
from pofx.lm.continuation_tree import Branches
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.lm.trace import Ints
from pofx.transforms.bytewise.histories import Histories
from pofx.transforms.bytewise.hypotheses import END
from pofx.transforms.bytewise.known_text_beam import Walk
from pofx.transforms.bytewise.sorted_tokens import Tokens
from pofx.transforms.bytewise.steps import Step
from pofx.transforms.bytewise.token_masses import Spellings, readings

# Bytes looked ahead, of all texts together.
HORIZON = 1024
LEAST = 64  # of each text, however many there are
# Histories after which the tree is begun anew: SmolLM2 asks for 1 to 4 a byte, of 46 kB each.
MOST = 3000
# Histories that a pass reads in the time of one, as its weights have to be fetched anyway: of 1,000 bytes, beam 3, 1,800
# in 226 passes and 33 s; with guesses up to 24 a pass, 2,300 in 70 and 17 s; 8 was best.
SPARE = 8


def beams(
    tokens: Tokens, paths: Sequence[Ints], beam: int, root: State | None = None, row: Sequence[int] = ()
) -> list[list[Step]]:
    """Step for step what `Covers` does byte by byte, of each path of bytes; EOS, id 256, may only stand last.

    root, row: the paths stand behind these rows of a state of the model, else behind x0.

    Walks go as far as the laws at hand allow, and beyond on trial, to find which histories will be asked for; these
    are read in one pass, and so on: 118 bytes in 7 to 16 passes of the model, where byte by byte takes 118.
    """
    walks = [_walk(tokens, p, beam) for p in paths]
    root = tokens.lm.start(1) if root is None else root
    row = row or [0] * len(walks)
    fronts = [(r, w.tree.spellings, 0) for r, w in zip(row, walks)]
    for walk, reading in zip(walks, readings(tokens, root.logp, fronts)):
        walk.tree.nodes[0].reading = reading
    grove = _Grove(tokens, root, walks, row)
    stops = [0] * len(walks)
    while active := [k for k, w in enumerate(walks) if not w.done]:
        there = all(len(walks[k].steps) >= stops[k] for k in active)
        if there and grove.size > MOST:
            grove = grove.again(active)
        for k in active:
            if there or grove.size <= MOST:
                stops[k] = len(walks[k].steps) + max(HORIZON // len(active), LEAST)
            walks[k].go(stops[k], SPARE // len(active))
            walks[k].seed(stops[k])
        grove.read([k for k in active if walks[k].missing])
    return [w.steps for w in walks]


def _walk(tokens: Tokens, path: Ints, beam: int) -> Walk:
    data = path[:-1] if len(path) and path[-1] == END else path
    tree = Histories(Spellings(tokens.ranges, data), _cuts(tokens.lm, bytes(data.tolist())))
    return Walk(path.tolist(), tree, beam)


def _cuts(lm: LM, text: bytes) -> list[tuple[int, int]]:
    """(end, id) of each token as the tokenizer has it; none where it does not spell these bytes."""
    try:
        ids = lm.vocab.encode(text)
    except NotText:
        return []
    spelled = [lm.vocab.token_bytes[i] for i in ids]
    if b"".join(b or b"" for b in spelled) != text:
        return []
    return list(zip(np.cumsum([len(b or b"") for b in spelled]).tolist(), ids))


class _Grove:
    """The histories of all walks as branches of one state; `row`: which row of it each walk stands behind."""

    def __init__(self, tokens: Tokens, state: State, walks: Sequence[Walk], row: Sequence[int]) -> None:
        self.tokens, self.state, self.walks, self.row = tokens, state, walks, row
        self.branches: Branches = tokens.lm.branches(state)
        self.size = 0
        self.number: list[dict[int, int]] = [{0: -1 - r} for r in row]

    def read(self, asking: Sequence[int]) -> None:
        """What the walks miss, each history once."""
        if not asking:
            return
        parent: list[int] = []
        token: list[int] = []
        known: dict[tuple[int, int], int] = {}
        readers: dict[int, list[tuple[int, int]]] = {}
        for k in asking:
            walk, number = self.walks[k], self.number[k]
            for node in walk.missing:
                above, last = number[walk.tree.nodes[node].above], walk.tree.nodes[node].token
                if (above, last) not in known:
                    known[above, last] = self.size + len(parent)
                    parent.append(above)
                    token.append(last)
                number[node] = known[above, last]
                readers.setdefault(number[node], []).append((k, node))
        self.size += len(parent)
        for nodes, logp in self.branches.grow(
            np.array(parent, dtype=np.int64), np.array(token, dtype=np.int64)
        ):
            found = [(row, k, node) for row, n in enumerate(nodes.tolist()) for k, node in readers[n]]
            wanted = [
                (row, self.walks[k].tree.spellings, self.walks[k].tree.nodes[node].place)
                for row, k, node in found
            ]
            for (_, k, node), reading in zip(found, readings(self.tokens, logp, wanted)):
                self.walks[k].tree.nodes[node].reading = reading

    def again(self, active: Sequence[int]) -> _Grove:
        """Begun anew behind what the living histories of each walk share; the rest of them is read once more."""
        rows: dict[tuple[int, ...], int] = {}
        states: list[State] = []
        row = [0] * len(self.walks)
        for k in active:
            path = self.walks[k].reroot()
            key = (self.row[k], *path)
            if key not in rows:
                rows[key] = len(states)
                state = self.state.take([self.row[k]])
                states.append(self.tokens.lm.extend(state, np.array([path])) if path else state)
            row[k] = rows[key]
        joined = states[0].cat(*states[1:]) if len(states) > 1 else states[0]
        grove = _Grove(self.tokens, joined, self.walks, row)
        unread = [k for k in active if self.walks[k].tree.nodes[0].reading is None]
        if unread:
            fronts = [
                (row[k], self.walks[k].tree.spellings, self.walks[k].tree.nodes[0].place) for k in unread
            ]
            for k, reading in zip(unread, readings(self.tokens, joined.logp, fronts)):
                self.walks[k].tree.nodes[0].reading = reading
        for k in active:
            self.walks[k].missing = list(range(1, len(self.walks[k].tree.nodes)))
        if any(self.walks[k].missing for k in active):
            grove.read(active)
        return grove
