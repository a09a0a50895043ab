"""The tokens that end a word: sets of token ids, by the bytes with which tokens begin."""

from __future__ import annotations

from bisect import bisect_left
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pofx.queries.segmentation.word_rule import WordRule
from pofx.vocab.vocabulary import Vocab

Members = NDArray[np.bool_]


class BoundaryTokens:
    """The tokens of one vocabulary that begin with a boundary, or that reach a boundary after a given string of bytes.

    A token may have only some bytes of its first character. Such a token is in a set if that character may be a boundary,
    so that no token that begins a boundary is missing from the sets.
    """

    def __init__(self, vocab: Vocab, units: WordRule) -> None:
        self.vocab, self.units = vocab, units

    def opens(self, data: bytes) -> bool:
        """Return whether bytes begin with a boundary, or are the beginning of a boundary."""
        return bool(data) and data[: _width(data[0])] in self.units.boundary_prefixes

    @cached_property
    def at_boundary(self) -> Members:
        """EOS and the tokens that begin with a boundary, which may follow the end of a word, `[V]`."""
        spelled = self.vocab.token_bytes
        known: dict[bytes, bool] = {}  # the first bytes of tokens are few
        out = np.zeros(self.vocab.size, dtype=np.bool_)
        for i, b in enumerate(spelled):
            if b:
                head = b[:4]
                if head not in known:
                    known[head] = self.opens(head)
                out[i] = known[head]
        if self.vocab.end is not None:
            out[self.vocab.end] = True
        return out

    def continuing(self, prefix: bytes, bounded: bool) -> Members:
        """Find the tokens that begin with some bytes.

        Args:
            prefix: The bytes.
            bounded: Whether a boundary must follow these bytes within the token.

        Returns:
            Members of the set, `[V]`.
        """
        order, spelled = self._sorted
        out = np.zeros(self.vocab.size, dtype=np.bool_)
        for k in range(bisect_left(spelled, prefix), len(spelled)):
            if not spelled[k].startswith(prefix):
                break
            out[order[k]] = not bounded or self.opens(spelled[k][len(prefix) :])
        return out

    @cached_property
    def _sorted(self) -> tuple[list[int], list[bytes]]:
        pairs = sorted((b, i) for i, b in enumerate(self.vocab.token_bytes) if b)
        return [i for _, i in pairs], [b for b, _ in pairs]


def _width(lead: int) -> int:
    """Return the number of bytes of a character of UTF-8, by its first byte."""
    return 1 if lead < 0xC0 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
