"""An n-gram model as an LM: the next-token distribution depends on the last `order − 1` tokens, x0 among them."""

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
from pofx.models.ngram.automaton import AutomatonOnDemand
from pofx.models.ngram.backoff import Backoff
from pofx.models.ngram.chain import shorten_histories, termination
from pofx.models.ngram.counting import Codes, closed, count_ngrams
from pofx.models.ngram.pruning import prune_table
from pofx.models.ngram.quantized import quantize_levels
from pofx.models.ngram.smoothing import Levels, smooth
from pofx.models.specs import NgramSpec
from pofx.values import check_ids
from pofx.vocab.vocabulary import BEGIN_TEXT, Vocab

# How many whole distributions are computed at once along a text: 2,048 × 257 float64 take 4 MB.
ROWS = 2048

# How many positions are looked up at once, at 150 bytes each: 40 MB, for texts of any length.
POSITIONS = 1 << 18


class NgramLM(LM):
    """An n-gram model, which `fit`, `load` or `read_arpa` returns.

        p(x) = Π_i p(x_i | x_{i−order+1}, …, x_{i−1})

    The distributions of a fitted model sum to 1 after seen, unseen and empty histories. A model needs no window rule,
    since the last `order − 1` tokens decide the next one.

    Attributes:
        table: The distinct n-grams.
        levels: The probabilities and back-off weights.
        order: How many tokens an n-gram has.
        backoff: The distributions of `levels` over `table`.
        codes: The codes of tokens in `table`.
    """

    def __init__(
        self, vocab: Vocab, table: PrefixTable, levels: Levels, begin: bool, dtype: str = "float64"
    ) -> None:
        self.vocab, self.table, self.levels = vocab, table, levels
        # Rounded numbers are made to sum to 1 by factors of 32 bits, so their sums are off by up to 1e-6.
        self.dtype = "float32" if levels.quantization else dtype
        self.order = table.packing.depth
        self.backoff = Backoff(table, levels, vocab.size)
        self.codes = Codes(vocab.size)
        self._automaton = AutomatonOnDemand(self.backoff, self.codes.begin)
        self.begin = Begin("trained", BEGIN_TEXT, vocab.size) if begin else Begin("none")
        self.context = None
        self.memory = self.order - 1
        self.window = window_of(self.order)

    def unigram(self) -> NDArray[np.float64]:
        """Return the log-probabilities of all outcomes after the empty history, `[V]`, nats."""
        root = np.zeros(1, dtype=np.int64)
        logp: NDArray[np.float64] = self.backoff.distributions(root, root, root)[0]
        return logp

    def unigram_weights(self) -> NDArray[np.float64]:
        """Return the back-off weights of histories of one code, by the code (token id + 1, x0 last); 1 without a weight."""
        out = np.ones(self.codes.begin + 1)
        if self.order > 1:
            newest = self.table.packing.code(self.table.words[self.table.first(1)], 0)
            out[newest.astype(np.int64)] = np.asarray(self.levels.weight[1])
        return out

    def start(self, n: int) -> State:
        """Return the state of `n` prefixes that are x0 alone; without x0, reading its `logp` raises `NoBOS`."""
        history = np.zeros((n, max(self.order - 1, 1)), dtype=np.uint64)
        if self.begin.known == "none":

            def refuse() -> Floats:
                raise refuse_unconditional(self.begin)

            return State(refuse, history, n)
        if self.order > 1:
            history[:, 0] = self.codes.begin
        return self._state(history)

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Return the state of each history followed by its row of `ids[n, t]`."""
        new = as_id_rows(ids, state.n)
        if not new.shape[1]:
            return state
        check_ids(new, self.vocab.size)
        keep = state.carry.shape[1]
        both = np.concatenate([(new[:, ::-1] + 1).astype(np.uint64), state.carry], axis=1)
        return self._state(both[:, :keep])

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """Compute `LM.forward` by one sorted look-up a position, and whole distributions only where `want` needs them."""
        ids, skips = prepare_paths(self, paths, skip)
        out = TraceBuilder([len(p) - s for p, s in zip(ids, skips)], want, self.vocab.end)
        if not ids:
            return out.build()
        flat = np.concatenate(ids)
        codes, kept = self._laid_out(flat, np.array([len(p) for p in ids]), np.array(skips))
        self._read_blocks(codes, kept, out, want)
        return out.build()

    def log_probs(self, ids: Ints, lengths: Ints) -> NDArray[np.float64]:
        """Compute `LM.log_probs` by the automaton of the table, or by the look-ups of `forward`, to the same bits."""
        if self.begin.known == "none" and len(ids):
            raise refuse_unconditional(self.begin)
        check_ids(ids, self.vocab.size)
        if (automaton := self._automaton.to_read(len(ids))) is not None:
            return automaton.log_probs(ids, lengths)
        out = TraceBuilder([len(ids)], Want(), self.vocab.end)
        codes, kept = self._laid_out(ids, lengths, np.zeros(len(lengths), dtype=np.int64))
        self._read_blocks(codes, kept, out, Want())
        return out.logp

    def _read_blocks(
        self, codes: NDArray[np.uint64], kept: NDArray[np.bool_], out: TraceBuilder, want: Want
    ) -> None:
        """Report all kept positions."""
        done = 0
        for lo in range(0, len(codes), POSITIONS):
            # A block begins with the history of its first position, whose numbers an earlier block has reported.
            context = max(0, lo - self.order - 1)
            block, mine = codes[context : lo + POSITIONS], kept[context : lo + POSITIONS].copy()
            mine[: lo - context] = False
            done += self._read(block, np.flatnonzero(mine), done, out, want)

    def _laid_out(
        self, flat: Ints, lengths: Ints, skips: Ints
    ) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Lay all paths out as codes, `order` paddings before each (the last one x0), and mark the scored positions."""
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
        """Report the positions `at` of a block as positions `done`, `done + 1`, … of the trace, and return their number."""
        known = self._known(codes)
        row, length = self.table.find(backward_strings(codes, self.table.packing))
        length = np.minimum(length, known).astype(np.int8)
        out.logp[done : done + len(at)] = self.backoff.log_prob(row, length, at, known[at - 1])
        if not want.rows:
            return len(at)
        # Positions after one history share a distribution, and most histories of a text occur more than once.
        short, seen = np.minimum(length[at - 1], self.order - 1), np.minimum(known[at - 1], self.order - 1)
        history = (row[at - 1].astype(np.int64) * self.order + short) * self.order + seen
        order = np.argsort(history, kind="stable")
        for lo in range(0, len(at), ROWS):
            some = order[lo : lo + ROWS]
            new = np.append(True, history[some[1:]] != history[some[:-1]])
            heads = some[new]
            logp = self.backoff.distributions(row[at[heads] - 1], short[heads], seen[heads])
            ids = (codes[at[some]] - np.uint64(1)).astype(np.int64)
            out.put_distributions(done + some, logp, ids, np.cumsum(new) - 1)
        return len(at)

    def seen(self, n: int) -> Ints:
        """Return the effective context: at most the last `order − 1` tokens, x0 among them."""
        return np.minimum(super().seen(n), self.order - 1)

    def sufficient(self, state: State) -> NDArray[np.uint64]:
        """Return the longest part of each history that the table has, as a key."""
        history: NDArray[np.uint64] = state.carry
        known = np.sum(history[:, : self.order - 1] != 0, axis=1)
        return shorten_histories(self.backoff, history, known)[1]

    def termination(self, lengths: Sequence[int]) -> Termination | None:
        """Return the exact distribution of lengths, by the chain of histories; None without x0 or EOS, or if too large."""
        if self.vocab.end is None or self.begin.known == "none":
            return None
        return termination(self.backoff, self.vocab.end, lengths)

    def portable(self) -> Portable:
        """Return the next-token distributions by look-ups and products of stored probabilities alone."""
        return Portable(self._numbers_hash, lambda state: self._probabilities(state.carry))

    @cached_property
    def _numbers_hash(self) -> str:
        """Return a hash of all numbers that decide the distributions, the lowest byte of each number first."""
        packing = self.table.packing
        shape = (packing.bits, packing.depth, self.vocab.size, self.levels.chain, self.begin.known)
        h = hashlib.sha256(repr(shape).encode())
        h.update(np.ascontiguousarray(self.table.words).astype("<u8").tobytes())
        for k in range(1, self.order + 1):
            for column in (self.levels.prob[k], self.levels.weight[k - 1]):
                h.update(np.ascontiguousarray(column).astype("<f8").tobytes())
            h.update(np.packbits(self.levels.seen[k]).tobytes())
        return h.hexdigest()[:32]

    def _known(self, codes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return how many codes without padding between them end at each position, up to the order."""
        here = np.arange(len(codes))
        last_gap = np.maximum.accumulate(np.where(codes == 0, here, -1))
        return np.minimum(here - last_gap, self.order)

    def _probabilities(self, history: NDArray[np.uint64]) -> NDArray[np.float64]:
        """Compute p(· | history) of histories of codes, the newest code first, with zeros for codes that are not there."""
        blank = np.zeros((len(history), 1), dtype=np.uint64)
        queries = np.concatenate([history[:, : self.order - 1], blank], axis=1)
        row, length = self.table.find(self.table.packing.pack_columns(list(queries.T)))
        known = np.sum(history[:, : self.order - 1] != 0, axis=1)
        return self.backoff.distributions(row, np.minimum(length, known), known, exponent=True)

    def _state(self, history: NDArray[np.uint64]) -> State:
        def logp() -> Floats:
            with np.errstate(divide="ignore"):
                return np.log(self._probabilities(history))

        return State(logp, history, len(history))


def window_of(order: int) -> WindowRule:
    """Return what an n-gram of an order says of its window."""
    return WindowRule(f"n-gram: the last {order - 1} tokens")


def fit_ngram(documents: Iterable[NDArray[np.int64]], spec: NgramSpec, vocab: Vocab) -> NgramLM:
    """Fit an n-gram model by counting and smoothing.

    Args:
        documents: The token ids of each document, without x0 and EOS; the fit adds EOS, if the vocabulary has EOS.
        spec: The order, the smoothing, and whether there is an x0.
        vocab: The vocabulary of the ids.
    """
    whole = (closed(ids, vocab.end) for ids in documents)
    counts = count_ngrams(whole, vocab.size, spec.bound, spec.begin)
    table = counts.table
    levels = smooth(counts, vocab.size, spec.smoothing, spec.alpha, Codes(vocab.size).begin, spec.prune)
    if any(spec.prune):
        table, levels = prune_table(table, levels)
    if spec.quantize:
        levels = quantize_levels(levels, {k: table.parent(k) for k in range(2, spec.bound + 1)})
    return NgramLM(vocab, table, levels, spec.begin)
