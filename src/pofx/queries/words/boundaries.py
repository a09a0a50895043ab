"""Which tokens say that a word is over: sets of ids by what their bytes begin with."""

from __future__ import annotations

from bisect import bisect_left
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pofx.queries.segmentation.word_rule import WordRule
from pofx.vocab.vocabulary import Vocab

Members = NDArray[np.bool_]


class BoundaryTokens:
    """The tokens of one vocabulary that open with a boundary, or reach one behind a prefix; made once, read often.

    A token that holds less than its first character (a byte, for most characters) counts where that character may
    be a boundary: what is impossible is that a text goes on with a boundary and its token is in no set.
    """

    def __init__(self, vocab: Vocab, units: WordRule) -> None:
        self.vocab, self.units = vocab, units

    def opens(self, data: bytes) -> bool:
        """Whether bytes begin with a boundary, or are the beginning of one."""
        return bool(data) and data[: _width(data[0])] in self.units.boundary_prefixes

    @cached_property
    def at_boundary(self) -> Members:
        """`[V]`: EOS, and the tokens that open with a boundary; what may come where a word has ended."""
        spelled = self.vocab.token_bytes
        known: dict[bytes, bool] = {}  # by their first bytes, which are few
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
        """`[V]`: the tokens that begin with `prefix`; bounded: those of them that go on with a boundary."""
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
    """How many bytes a character of UTF-8 has, by its first."""
    return 1 if lead < 0xC0 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
