"""An n-gram of unbounded order as an LM: the longest match of the history in the training text is the context."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import Floats
from pofx.lm.begin import Begin, refuse_unconditional
from pofx.lm.model import LM, Portable, prepare_paths
from pofx.lm.paths import as_id_rows
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, TraceBuilder, Want
from pofx.lm.window_rule import WindowRule
from pofx.models.ngram.counting import closed
from pofx.models.ngram.smoothing import Probs
from pofx.models.ngram.unbounded.contexts import contexts_of
from pofx.models.ngram.unbounded.followers import followers_of
from pofx.models.ngram.unbounded.reading import read
from pofx.models.ngram.unbounded.smoothed import Smoothed, smoothed
from pofx.models.ngram.unbounded.table import context_table
from pofx.models.ngram.unbounded.weights import estimate_weights
from pofx.models.specs import NgramSpec
from pofx.values import check_ids
from pofx.vocab.vocabulary import BEGIN_TEXT, Vocab

WINDOW = WindowRule("n-gram: the longest match in the training text")

# How many whole distributions are computed at once: 2,048 × 257 float64 take 4 MB.
ROWS = 2048


class UnboundedLM(LM):
    """An n-gram model of unbounded order, which `fit` returns for `NgramSpec(order=None)`.

        p(x) = Π_i p(x_i | h_i),   h_i the longest end of x0, x_1, …, x_{i−1} that the training text has

    The distributions sum to 1 after every history, and no token has probability 0. The model has no window, so a text may
    have any length.

    Attributes:
        numbers: The contexts and their probabilities.

    Right: `pofx.fit(documents, NgramSpec(order=None))`. Wrong: `pofx.write_arpa` of such a model, since an ARPA file has an
    order.
    """

    def __init__(self, vocab: Vocab, numbers: Smoothed, begin: bool) -> None:
        self.vocab, self.numbers = vocab, numbers
        self.begin = Begin("trained", BEGIN_TEXT, vocab.size) if begin else Begin("none")
        self.window = WINDOW
        self.positive = True

    def start(self, n: int) -> State:
        """Return the state of `n` prefixes that are x0 alone; without x0, reading its `logp` raises `NoBOS`."""
        begin = int(self.numbers.table.alone[-1])
        match = np.tile(np.array([begin, int(begin != 0)], dtype=np.int64), (n, 1))
        if self.begin.known == "none":

            def refuse() -> Floats:
                raise refuse_unconditional(self.begin)

            return State(refuse, match, n)
        return self._state(match)

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Return the state of each history followed by its row of `ids[n, t]`."""
        new = as_id_rows(ids, state.n)
        if not new.shape[1]:
            return state
        check_ids(new, self.vocab.size)
        place, length = state.carry[:, 0], state.carry[:, 1]
        for column in new.T:
            _, place, length = self.numbers.advance(place, length, column)
        return self._state(np.stack([place, length], axis=1))

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """Compute `LM.forward` by many stretches at once, and whole distributions only where `want` needs them."""
        ids, skips = prepare_paths(self, paths, skip)
        out = TraceBuilder([len(p) - s for p, s in zip(ids, skips)], want, self.vocab.end)
        if not ids:
            return out.build()
        flat, lengths = np.concatenate(ids), np.array([len(p) for p in ids])
        reading = read(self.numbers, flat, lengths)
        inside = np.arange(len(flat)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        at = np.flatnonzero(inside >= np.repeat(skips, lengths))
        out.logp[:] = np.log(reading.p[at])
        if not want.rows:
            return out.build()
        # Positions after one match share a distribution.
        place, length, token = reading.place[at], reading.length[at], flat[at]
        order = np.lexsort((length, place))
        for lo in range(0, len(at), ROWS):
            some = order[lo : lo + ROWS]
            new = np.append(True, np.diff(place[some]).astype(bool) | np.diff(length[some]).astype(bool))
            heads = some[new]
            logp = np.log(self.numbers.distributions(place[heads], length[heads]))
            out.put_distributions(some, logp, token[some], np.cumsum(new) - 1)
        return out.build()

    def sufficient(self, state: State) -> NDArray[np.int64]:
        """Return the place and the length of the match of each history."""
        match: NDArray[np.int64] = state.carry
        return match

    def portable(self) -> Portable:
        """Return the next-token distributions by look-ups, products and sums of stored numbers alone."""
        return Portable(self._numbers_hash, lambda state: self._probabilities(state.carry))

    @cached_property
    def _numbers_hash(self) -> str:
        """Return a hash of all numbers that decide the distributions, the lowest byte of each number first."""
        table, h = self.numbers.table, hashlib.sha256()
        h.update(repr((table.size, self.begin.known)).encode())
        for column in (table.depth, table.parent, table.branches, table.events, table.to):
            h.update(np.ascontiguousarray(column).astype("<i4").tobytes())
        for column in (table.token, table.following, table.above, table.alone):
            h.update(np.ascontiguousarray(column).astype("<i4").tobytes())
        h.update(np.ascontiguousarray(table.key).astype("<i8").tobytes())
        for numbers in (table.discounts, self.numbers.weights, self.numbers.prob, self.numbers.rest):
            h.update(np.ascontiguousarray(numbers).astype("<f8").tobytes())
        return h.hexdigest()[:32]

    def _probabilities(self, match: NDArray[np.int64]) -> Probs:
        return self.numbers.distributions(match[:, 0], match[:, 1])

    def _state(self, match: NDArray[np.int64]) -> State:
        return State(lambda: np.log(self._probabilities(match)), match, len(match))


def fit_unbounded(documents: Iterable[NDArray[np.int64]], spec: NgramSpec, vocab: Vocab) -> UnboundedLM:
    """Fit an n-gram of unbounded order.

    Args:
        documents: The token ids of each document, without x0 and EOS; the fit adds EOS, if the vocabulary has EOS.
        spec: The spec, whose order is None.
        vocab: The vocabulary of the ids.

    Returns:
        The model.
    """
    whole = (closed(ids, vocab.end) for ids in documents)
    contexts = contexts_of(whole, vocab.size, spec.begin)
    followers = followers_of(contexts, vocab.size)
    table = context_table(contexts, followers, vocab.size)
    weights = estimate_weights(contexts, followers, table, vocab.size)
    return UnboundedLM(vocab, smoothed(table, weights, followers), spec.begin)
