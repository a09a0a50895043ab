"""All tokenisations of a string, as a graph: offsets are nodes, the tokens that fit there are edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pofx.lm.trace import Ints
from pofx.vocab.vocabulary import Vocab


@dataclass(frozen=True, eq=False)
class Lattice:
    """For each offset of `data` but the last: the tokens that can stand there, and where each of them ends.

    Only what lies on a way from 0 to the end is in it, so that no path is a dead end. ids, ends: a pair of arrays
    of one length an offset; longest: the most bytes an edge has.
    """

    data: bytes
    ids: tuple[Ints, ...]
    ends: tuple[Ints, ...]
    longest: int

    @property
    def paths(self) -> int:
        """How many tokenisations there are: an integer of any size."""
        ways = [0] * len(self.ids) + [1]
        for at in range(len(self.ids) - 1, -1, -1):
            ways[at] = sum(ways[end] for end in self.ends[at].tolist())
        return ways[0]


def build_lattice(vocab: Vocab, canonical: Sequence[int] | Ints) -> Lattice:
    """The lattice of the bytes that the canonical ids spell, the space put before a text by its tokenizer included.

    Ids that spell no byte are in no tokenisation; two ids that spell the same bytes are two edges.
    """
    spelled = vocab.token_bytes
    data = b"".join(spelled[int(i)] or b"" for i in canonical)
    by_bytes: dict[bytes, list[int]] = {}
    for i, b in enumerate(spelled):
        if b and b in data:
            by_bytes.setdefault(b, []).append(i)
    lengths = sorted({len(b) for b in by_bytes})
    n = len(data)
    reaches = [False] * n + [True]
    ids: list[Ints] = [np.zeros(0, dtype=np.int64)] * n
    ends = list(ids)
    for at in range(n - 1, -1, -1):
        found = [
            (i, at + k)
            for k in lengths
            if at + k <= n and reaches[at + k]
            for i in by_bytes.get(data[at : at + k], ())
        ]
        reaches[at] = bool(found)
        pairs = np.array(found, dtype=np.int64).reshape(-1, 2)
        ids[at], ends[at] = pairs[:, 0], pairs[:, 1]
    return Lattice(data, tuple(ids), tuple(ends), lengths[-1] if lengths else 0)
