"""The n-gram family: p(x_i | x_<i) depends on the last `order − 1` tokens (x0 among them)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import Floats
from pofx.algorithms.prefix_table import Index, PrefixTable, backward_strings
from pofx.lm.begin import Begin, refuse_unconditional
from pofx.lm.model import LM, Portable, Termination, prepare_paths
from pofx.lm.paths import as_id_rows
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, TraceBuilder, Want
from pofx.lm.window_rule import WindowRule
from pofx.models.ngram.backoff import Backoff
from pofx.models.ngram.chain import shorten_histories, termination
from pofx.models.ngram.counting import Codes, count_ngrams
from pofx.models.ngram.smoothing import Levels, smooth
from pofx.models.specs import NgramSpec
from pofx.vocab.vocabulary import BEGIN_TEXT, Vocab

# Rows of a law computed at once while reading whole laws along a text: 2,048 × 257 float64 is 4 MB.
ROWS = 2048

# Positions looked up at once: each takes 150 bytes meanwhile, so a block takes 40 MB, and texts of any length no more.
POSITIONS = 1 << 18


class NgramLM(LM):
    """A back-off table over a vocabulary; made by `fit`, by `load` or by `read_arpa`.

    Exact: every row sums to 1, for seen, unseen and empty histories. No window: the state is the last
    `order − 1` tokens, and nothing is lost by any cut.
    """

    def __init__(
        self, vocab: Vocab, table: PrefixTable, levels: Levels, begin: bool, dtype: str = "float64"
    ) -> None:
        self.vocab, self.table, self.levels, self.dtype = vocab, table, levels, dtype
        self.order = table.packing.depth
        self.backoff = Backoff(table, levels, vocab.size)
        self.codes = Codes(vocab.size)
        self.begin = Begin("trained", BEGIN_TEXT, vocab.size) if begin else Begin("none")
        self.context = None
        self.memory = self.order - 1
        self.window = WindowRule(f"n-gram: the last {self.order - 1} tokens")

    def unigram(self) -> NDArray[np.float64]:
        """log p of every outcome behind the empty history, `[V]`."""
        root = np.zeros(1, dtype=np.int64)
        law: NDArray[np.float64] = self.backoff.laws(root, root, root)[0]
        return law

    def unigram_weights(self) -> NDArray[np.float64]:
        """The back-off weight of every history of one code (token id + 1, x0 last), 1 where it has none."""
        out = np.ones(self.codes.begin + 1)
        if self.order > 1:
            newest = self.table.packing.code(self.table.words[self.table.first(1)], 0)
            out[newest.astype(np.int64)] = self.levels.weight[1]
        return out

    def start(self, n: int) -> State:
        """n times x0; without x0, the law of the first token raises `NoBOS`."""
        history = np.zeros((n, max(self.order - 1, 1)), dtype=np.uint64)
        if self.begin.known == "none":

            def refuse() -> Floats:
                raise refuse_unconditional(self.begin)

            return State(refuse, history, n)
        if self.order > 1:
            history[:, 0] = self.codes.begin
        return self._state(history)

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """The last tokens shift by `ids[n, t]`."""
        new = as_id_rows(ids, state.n)
        if not new.shape[1]:
            return state
        self._check(new)
        keep = state.carry.shape[1]
        both = np.concatenate([(new[:, ::-1] + 1).astype(np.uint64), state.carry], axis=1)
        return self._state(both[:, :keep])

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """All positions of all texts by one sorted look-up each; whole laws only where `want` needs them."""
        ids, skips = prepare_paths(self, paths, skip)
        out = TraceBuilder([len(p) - s for p, s in zip(ids, skips)], want, self.vocab.end)
        if not ids:
            return out.build()
        flat = np.concatenate(ids)
        self._check(flat)
        codes, kept = self._laid_out(flat, np.array([len(p) for p in ids]), np.array(skips))
        done = 0
        for lo in range(0, len(codes), POSITIONS):
            # A block opens with the codes its first position looks back at, which it does not report again.
            context = max(0, lo - self.order - 1)
            block, mine = codes[context : lo + POSITIONS], kept[context : lo + POSITIONS].copy()
            mine[: lo - context] = False
            done += self._read(block, np.flatnonzero(mine), done, out, want)
        return out.build()

    def _laid_out(
        self, flat: Ints, lengths: Ints, skips: Ints
    ) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """All paths as codes in a row, `order` paddings (the last one x0) before each; and what is to be scored."""
        inside = np.arange(len(flat)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        starts = np.cumsum(lengths + self.order) - lengths
        places = inside + np.repeat(starts, lengths)
        codes = np.zeros(len(flat) + self.order * len(lengths), dtype=np.uint64)
        codes[places] = flat + 1
        if self.begin.known != "none":
            codes[starts - 1] = self.codes.begin
        kept = np.zeros(len(codes), dtype=bool)
        kept[places] = inside >= np.repeat(skips, lengths)
        return codes, kept

    def _read(self, codes: NDArray[np.uint64], at: Index, done: int, out: TraceBuilder, want: Want) -> int:
        """Report the positions `at` of a block, the first of them as position `done` of the trace; how many."""
        known = self._known(codes)
        row, length = self.table.find(backward_strings(codes, self.table.packing))
        length = np.minimum(length, known).astype(np.int8)
        out.logp[done : done + len(at)] = self.backoff.log_prob(row, length, at, known[at - 1])
        if not want.rows:
            return len(at)
        # Positions behind one history have one law, and much of a text is behind histories that it has seen before.
        short, seen = np.minimum(length[at - 1], self.order - 1), np.minimum(known[at - 1], self.order - 1)
        history = (row[at - 1].astype(np.int64) * self.order + short) * self.order + seen
        order = np.argsort(history, kind="stable")
        for lo in range(0, len(at), ROWS):
            some = order[lo : lo + ROWS]
            new = np.append(True, history[some[1:]] != history[some[:-1]])
            heads = some[new]
            laws = self.backoff.laws(row[at[heads] - 1], short[heads], seen[heads])
            ids = (codes[at[some]] - np.uint64(1)).astype(np.int64)
            out.put_laws(done + some, laws, ids, np.cumsum(new) - 1)
        return len(at)

    def seen(self, n: int) -> Ints:
        """At most the last `order − 1` tokens, x0 among them."""
        return np.minimum(super().seen(n), self.order - 1)

    def sufficient(self, state: State) -> NDArray[np.uint64]:
        """Of each history the longest part that the table knows."""
        history: NDArray[np.uint64] = state.carry
        known = np.sum(history[:, : self.order - 1] != 0, axis=1)
        return shorten_histories(self.backoff, history, known)[1]

    def termination(self, lengths: Sequence[int]) -> Termination | None:
        """Exact, by the chain of histories, where that is small enough and there are x0 and EOS."""
        if self.vocab.end is None or self.begin.known == "none":
            return None
        return termination(self.backoff, self.vocab.end, lengths)

    def portable(self) -> Portable:
        """Look-ups and products of stored probabilities, and nothing else."""
        return Portable(self._numbers_hash, lambda state: self._law(state.carry))

    @cached_property
    def _numbers_hash(self) -> str:
        """Of all numbers that the law is made from, in the order of the lowest byte first."""
        packing = self.table.packing
        shape = (packing.bits, packing.depth, self.vocab.size, self.levels.chain, self.begin.known)
        h = hashlib.sha256(repr(shape).encode())
        h.update(np.ascontiguousarray(self.table.words).astype("<u8").tobytes())
        for k in range(1, self.order + 1):
            for column in (self.levels.prob[k], self.levels.weight[k - 1]):
                h.update(np.ascontiguousarray(column).astype("<f8").tobytes())
            h.update(np.packbits(self.levels.seen[k]).tobytes())
        return h.hexdigest()[:32]

    def _check(self, ids: NDArray[np.int64]) -> None:
        if ids.size and (ids.min() < 0 or ids.max() >= self.vocab.size):
            raise IndexError(f"expected token ids in [0, {self.vocab.size}), found {ids.min()} … {ids.max()}")

    def _known(self, codes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """How many real codes end at each position, up to the order."""
        here = np.arange(len(codes))
        last_gap = np.maximum.accumulate(np.where(codes == 0, here, -1))
        return np.minimum(here - last_gap, self.order)

    def _law(self, history: NDArray[np.uint64]) -> NDArray[np.float64]:
        """p(· | history) of histories, the newest code first; zeros pad what is not there."""
        blank = np.zeros((len(history), 1), dtype=np.uint64)
        queries = np.concatenate([history[:, : self.order - 1], blank], axis=1)
        row, length = self.table.find(self.table.packing.pack_columns(list(queries.T)))
        known = np.sum(history[:, : self.order - 1] != 0, axis=1)
        return self.backoff.laws(row, np.minimum(length, known), known, exponent=True)

    def _state(self, history: NDArray[np.uint64]) -> State:
        def law() -> Floats:
            with np.errstate(divide="ignore"):
                return np.log(self._law(history))

        return State(law, history, len(history))


def fit_ngram(documents: Iterable[NDArray[np.int64]], spec: NgramSpec, vocab: Vocab) -> NgramLM:
    """Count token ids of documents (without EOS: it is added here, if the vocabulary has one) and smooth."""
    end = [] if vocab.end is None else [vocab.end]
    whole = (np.append(ids, end).astype(np.int64) for ids in documents)
    counts = count_ngrams(whole, vocab.size, spec.order, spec.begin)
    levels = smooth(counts, vocab.size, spec.smoothing, spec.alpha, Codes(vocab.size).begin)
    return NgramLM(vocab, counts.table, levels, spec.begin)
