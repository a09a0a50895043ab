"""The token histories of one known text as a tree, each with the masses of the tokens that may follow."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pofx.transforms.bytewise.token_masses import Spellings, TokenMasses


@dataclass
class Node:
    """A history, which is the tokens of a text up to a place.

    Attributes:
        parent: The number of the history without its last token; −1 for the root.
        token: The id of the last token.
        place: The number of bytes of the text that the history spells.
        age: The number of tokens since the history left the tokenizer's own spelling, of the tokens that a beam requested.
        masses: The masses of the tokens that spell the next bytes; None until the model has read the history.
    """

    parent: int
    token: int
    place: int
    age: int
    masses: TokenMasses | None = None


@dataclass
class HistoryTree:
    """The histories of one text, numbered in the order in which they are met; number 0 is the empty history.

    Attributes:
        spellings: The tokens that begin at each place of the text.
        cuts: The tokenizer's own spelling of the text: for each token the place where it ends, and its id.
        nodes: The histories.
        children: The number of each history by its parent and its last token.
    """

    spellings: Spellings
    cuts: Sequence[tuple[int, int]]
    nodes: list[Node] = field(default_factory=lambda: [Node(-1, -1, 0, 0)])
    children: dict[tuple[int, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._next = {place: k for k, (place, _) in enumerate(self.cuts, 1)}
        self._next[0] = 0

    def child(self, parent: int, token: int, place: int, age: int) -> int:
        """Return the number of the history with one more token, which ends at `place`; add this history if it is new."""
        number = self.children.get((parent, token))
        if number is None:
            number = self.children[parent, token] = len(self.nodes)
            self.nodes.append(Node(parent, token, place, age))
        return number

    def unread_along(self, number: int, stop: int, most: int) -> list[int]:
        """Follow the tokenizer's own spelling from a history, and list the histories without masses.

        Args:
            number: The history to begin with, which is listed, too.
            stop: Tokens that end after this place are left out.
            most: The most tokens to follow.
        """
        out = [] if self.nodes[number].masses is not None else [number]
        for _ in range(most):
            node = self.nodes[number]
            following = self._following(node.place)
            if following is None or following[0] > stop:
                break
            number = self.child(number, following[1], following[0], node.age)
            if self.nodes[number].masses is None:
                out.append(number)
        return out

    def keep(self, numbers: Sequence[int]) -> tuple[list[int], dict[int, int]]:
        """Keep some histories and their ancestors, and make the last ancestor that all of them share the new root.

        Returns:
            The tokens from the old root to the new one, and the new number of each history by its old number.
        """
        lines = [self._line(k) for k in numbers]
        shared = 0
        while lines and all(len(x) > shared and x[shared] == lines[0][shared] for x in lines):
            shared += 1
        path = [self.nodes[k].token for k in lines[0][1:shared]] if lines else []
        root = lines[0][shared - 1] if lines else 0
        old = sorted({root, *(k for x in lines for k in x[shared:])})
        number = {k: i for i, k in enumerate(old)}
        parents = [-1 if k == root else number[self.nodes[k].parent] for k in old]
        self.nodes = [replace(self.nodes[k], parent=p) for k, p in zip(old, parents)]
        self.children = {(n.parent, n.token): k for k, n in enumerate(self.nodes) if k}
        return path, number

    def _line(self, node: int) -> list[int]:
        """Return the numbers of the histories from the root down to a history."""
        line = []
        while node >= 0:
            line.append(node)
            node = self.nodes[node].parent
        return line[::-1]

    def _following(self, place: int) -> tuple[int, int] | None:
        """Return the end and the id of the token that the tokenizer puts after a place; None at the end of the text.

        For a place inside a token of the tokenizer, the result is the longest token that ends where that token ends, or
        before.
        """
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
