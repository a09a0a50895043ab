"""A token model with its vocabulary sorted by bytes, and its control tokens listed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.byte_ranges import ByteRanges
from pofx.algorithms.logspace import Floats, logsumexp
from pofx.lm.model import LM
from pofx.lm.trace import Ints

Logs = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SortedVocabulary:
    """A token model and its vocabulary, sorted by bytes.

    Attributes:
        lm: The token model.
        ranges: Its tokens, sorted by bytes.
        silent: Ids of the tokens that spell nothing, EOS excluded.
        end: The id of EOS, None for a model without EOS.
    """

    lm: LM
    ranges: ByteRanges
    silent: Ints
    end: int | None

    @classmethod
    def of(cls, lm: LM) -> SortedVocabulary:
        """Sort the vocabulary of a token model."""
        spelled, end = lm.vocab.token_bytes, lm.vocab.end
        silent = [i for i, b in enumerate(spelled) if not b and i != end]
        return cls(lm, sorted_tokens(spelled), np.array(silent, dtype=np.int64), end)

    def spelling(self, logp: Floats, rows: Ints) -> Logs:
        """Return log(1 − p(control tokens)) of some next-token distributions, `[n]` nats.

        Args:
            logp: Next-token distributions, `[m, V]`, nats.
            rows: The rows of `logp`, `[n]`.
        """
        if not len(self.silent):
            return np.zeros(len(rows))
        lost = np.exp(logsumexp(logp[np.ix_(rows, self.silent)]))
        out: Logs = np.log1p(-np.minimum(lost, 0.5))
        for k in np.flatnonzero(lost > 0.5):  # 1 − lost would cancel
            out[k] = logsumexp(np.delete(logp[rows[k]], self.silent))
        return out


@lru_cache(maxsize=4)  # a vocabulary of 262,144 tokens takes a second to sort, and 10 MB
def sorted_tokens(spelled: tuple[bytes | None, ...]) -> ByteRanges:
    """Sort a vocabulary by bytes; the cache has the last four vocabularies."""
    return ByteRanges(spelled)
