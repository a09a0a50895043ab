"""A context-mixing model as an LM: at most nine decisions a byte, each mixed from the predictions of many contexts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pofx.lm.begin import Begin
from pofx.lm.model import LM, Portable, prepare_paths
from pofx.lm.paths import as_id_rows
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, TraceBuilder, Want
from pofx.lm.window_rule import WindowRule
from pofx.models.mixing.contexts import COLUMNS, END
from pofx.models.mixing.learned import PIECE, Learned, learn_documents, start_history
from pofx.models.specs import MixingSpec
from pofx.values import check_ids
from pofx.vocab.vocabulary import BEGIN_TEXT, ByteVocab

WINDOW = WindowRule("mixing: the last six bytes, words, the line, the longest match")

# How many whole distributions are computed at once: 2,048 × 257 float64 take 4 MB.
ROWS = 2048


class MixingLM(LM):
    """A context-mixing model of bytes, which `fit` returns for a `MixingSpec`.

        p(x) = Π_i Π_b p(b-th decision of x_i | x_<i, the decisions before it)

    The symbols are the 256 bytes and EOS. Eight decisions choose a byte, and one more tells EOS from byte 255, so every
    distribution sums to 1. The model does not learn while it reads: p(x_i | x_<i) depends on x_<i alone.

    Attributes:
        learned: The memory and the text of the fit.

    Right: `pofx.fit(documents, MixingSpec())`. Wrong: a MixingLM over words, since the decisions spell bytes.
    """

    def __init__(self, learned: Learned) -> None:
        self.vocab = ByteVocab()
        self.learned = learned
        self.begin = Begin("trained", BEGIN_TEXT, self.vocab.size)
        self.window = WINDOW
        self.positive = True

    def start(self, n: int) -> State:
        """Return the state of `n` prefixes that are x0 alone."""
        return self._state(np.tile(start_history(), (n, 1)))

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Return the state of each history followed by its row of `ids[n, t]`."""
        new = as_id_rows(ids, state.n)
        if not new.shape[1]:
            return state
        check_ids(new, self.vocab.size)
        return self._state(self.learned.extend(state.carry, new))

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """Compute `LM.forward` by the decisions of each token, and whole distributions only where `want` needs them."""
        ids, skips = prepare_paths(self, paths, skip)
        out = TraceBuilder([len(p) - s for p, s in zip(ids, skips)], want, self.vocab.end)
        if not ids:
            return out.build()
        flat, lengths = np.concatenate(ids), np.array([len(p) for p in ids], dtype=np.int64)
        inside = np.arange(len(flat)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        kept, first, history = inside >= np.repeat(skips, lengths), inside == 0, start_history()
        done = 0
        for lo in range(0, len(flat), PIECE):
            piece = slice(lo, lo + PIECE)
            p, histories = self.learned.read(flat[piece], first[piece], history, want.rows)
            at = np.flatnonzero(kept[piece])
            out.logp[done : done + len(at)] = np.log(p[at])
            for row in range(0, len(at) if want.rows else 0, ROWS):
                some = at[row : row + ROWS]
                logp = np.log(self.learned.distributions(histories[some]))
                places = done + row + np.arange(len(some))
                out.put_distributions(places, logp, flat[piece][some])
            done += len(at)
        return out.build()

    def sufficient(self, state: State) -> NDArray[np.uint64]:
        """Return the record of each history, on which all later distributions depend."""
        histories: NDArray[np.uint64] = state.carry
        return histories

    def portable(self) -> Portable:
        """Return the next-token distributions by integers and by products of 16-bit fractions alone."""
        return Portable(self._numbers_hash, lambda state: self.learned.distributions(state.carry))

    @cached_property
    def _numbers_hash(self) -> str:
        """Return a hash of all numbers that decide the distributions, the lowest byte of each number first."""
        h = hashlib.sha256(repr((self.learned.layout, COLUMNS)).encode())
        h.update(np.ascontiguousarray(self.learned.memory).astype("<i4", copy=False).tobytes())
        h.update(self.learned.text.tobytes())
        return h.hexdigest()[:32]

    def _state(self, histories: NDArray[np.uint64]) -> State:
        return State(lambda: np.log(self.learned.distributions(histories)), histories, len(histories))


def fit_mixing(documents: Iterable[NDArray[np.int64]], spec: MixingSpec) -> MixingLM:
    """Fit a mixing model by reading the documents once, in their order.

    Args:
        documents: The bytes of each document, without EOS, which the fit adds.
        spec: The spec.
    """
    return MixingLM(learn_documents([np.append(ids, END) for ids in documents], spec.memory))
