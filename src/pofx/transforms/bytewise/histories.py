"""The token histories of one text as a tree, with what the laws behind them say of the text."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pofx.transforms.bytewise.token_masses import Reading, Spellings


@dataclass
class Node:
    """A history of a text: its last token, and where in the text it is over. age: how many asked-for ones it is off the
    tokenizer's own spelling."""

    above: int
    token: int
    place: int
    age: int
    reading: Reading | None = None


@dataclass
class Histories:
    """Numbered as they are met; 0 is the empty one.

    cuts: (place, token) of the tokenizer's own spelling, in order, each with the place where the token is over.
    """

    spellings: Spellings
    cuts: Sequence[tuple[int, int]]
    nodes: list[Node] = field(default_factory=lambda: [Node(-1, -1, 0, 0)])
    children: dict[tuple[int, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._next = {place: k for k, (place, _) in enumerate(self.cuts, 1)}
        self._next[0] = 0

    def child(self, above: int, token: int, place: int, age: int) -> int:
        """The number of a history and one more token, which is over at `place`."""
        found = self.children.get((above, token))
        if found is None:
            found = self.children[above, token] = len(self.nodes)
            self.nodes.append(Node(above, token, place, age))
        return found

    def along(self, number: int, stop: int, most: int) -> list[int]:
        """What has no law yet of a history and its next tokens, at most so many, as the tokenizer cuts the text."""
        out = [] if self.nodes[number].reading is not None else [number]
        for _ in range(most):
            node = self.nodes[number]
            following = self._cut(node.place)
            if following is None or following[0] > stop:
                break
            number = self.child(number, following[1], following[0], node.age)
            if self.nodes[number].reading is None:
                out.append(number)
        return out

    def keep(self, some: Sequence[int]) -> tuple[list[int], dict[int, int]]:
        """Forget all but these and what is above them, and what these share at the front: its tokens, which are to be
        read once more, as the empty history; and new numbers for old."""
        lines = [self._line(k) for k in some]
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
        return path, number

    def _line(self, node: int) -> list[int]:
        line = []
        while node >= 0:
            line.append(node)
            node = self.nodes[node].above
        return line[::-1]

    def _cut(self, place: int) -> tuple[int, int] | None:
        """The tokenizer's next token behind a place; within one of its tokens, the longest that is over with it."""
        k = self._next.get(place)
        if k is not None:
            return self.cuts[k] if k < len(self.cuts) else None
        k = bisect_right(self.cuts, (place, 0))
        if k == len(self.cuts):
            return None
        for d, (lo, mid, _) in reversed(list(enumerate(self.spellings.of(place), 1))):
            if lo < mid and place + d <= self.cuts[k][0]:
                return place + d, self.spellings.token(lo)
        return None
