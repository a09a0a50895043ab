"""All tokenisations of a string, as a graph: the nodes are offsets, and the edges are tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pofx.lm.trace import Ints
from pofx.vocab.vocabulary import Vocab


@dataclass(frozen=True, eq=False)
class Lattice:
    """The tokens that can stand at each offset of some bytes, and the offset at which each token ends.

    Every edge is on a path to the end, so that no path is a dead end.

    Attributes:
        data: The n bytes.
        ids: The tokens at each offset, n arrays.
        ends: The offset at which each of these tokens ends, n arrays.
        longest: The most bytes of an edge.
    """

    data: bytes
    ids: tuple[Ints, ...]
    ends: tuple[Ints, ...]
    longest: int

    @property
    def paths(self) -> int:
        """The number of tokenisations, an integer of any size."""
        ways = [0] * len(self.ids) + [1]
        for at in range(len(self.ids) - 1, -1, -1):
            ways[at] = sum(ways[end] for end in self.ends[at].tolist())
        return ways[0]


def build_lattice(vocab: Vocab, canonical: Sequence[int] | Ints) -> Lattice:
    """Build the lattice of the bytes that some ids spell.

    The bytes include a space that the tokenizer puts before a text. Ids that spell no byte are in no tokenisation. Two
    ids that spell the same bytes are two edges.

    Args:
        vocab: The vocabulary.
        canonical: The ids of `encode`.

    Returns:
        The lattice.
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
        fitting = [
            (i, at + k)
            for k in lengths
            if at + k <= n and reaches[at + k]
            for i in by_bytes.get(data[at : at + k], ())
        ]
        reaches[at] = bool(fitting)
        pairs = np.array(fitting, dtype=np.int64).reshape(-1, 2)
        ids[at], ends[at] = pairs[:, 0], pairs[:, 1]
    return Lattice(data, tuple(ids), tuple(ends), lengths[-1] if lengths else 0)
