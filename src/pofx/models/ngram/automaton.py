"""A table of n-grams as an automaton, which reads a token by one look-up wherever the longest n-gram is there.

A state is a history. The slot of a pair (state, token) has log p of the token and the next state, so the next look-up needs
no string. Where a pair has no slot, the weight of the state counts, and the next shorter history is tried:

    log p(w | h) = log prob(hw)                          if (h, w) has a slot
                 = log weight(h) + log p(w | h')         otherwise; h' is the suffix of h

A history is a state only if n-grams continue it, or if its weight is not 1: any other history has the distribution of its
suffix, and so has each longer text that ends with it. KenLM drops such histories from its states, too (Heafield 2011).

A slot takes 16 bytes, and two of three slots are full. The key of a slot is exact: no two pairs share a key.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.prefix_table import PrefixTable
from pofx.lm.trace import Ints
from pofx.models.ngram.backoff import Backoff
from pofx.models.ngram.quantized import numbers_at
from pofx.models.ngram.smoothing import Histories, find_histories

# How many tokens a compiled loop reads without a chance for Ctrl-C: 0.2 s.
BLOCK = 1 << 21
# How many lanes of a text take turns. On 1.1 MB of lines and 0.45 M slots 1 lane took 0.23 CPU seconds, 8 lanes 0.15, 16
# lanes 0.11 and 32 lanes 0.14.
LANES = 16
# How many tokens a model reads before the automaton is made, beside one token a row of the table. Loading numba takes 0.45
# CPU seconds, as long as 10^6 tokens without the automaton; making it takes as long as one token a row and more.
LEAST = 1 << 20


class BackoffAutomaton:
    """The automaton of a table and its levels, which `make_automaton` returns.

    Attributes:
        slots: `[2 · n]`, the slots.
        root_logp: `[V]`, log p of each token after the empty history, nats.
        root_next: `[V]`, the state after each token alone.
        weights: `[states]`, the logarithm of the weight of each state, nats.
        suffixes: `[states]`, the suffix of each state. State 0 is the empty history.
        start: The state after x0.
    """

    def __init__(
        self,
        slots: NDArray[np.uint64],
        bits: tuple[int, int],
        root: tuple[NDArray[np.float64], NDArray[np.int32]],
        weights: NDArray[np.float64],
        suffixes: NDArray[np.int32],
        start: int,
        memory: int,
    ) -> None:
        self.slots, self.weights, self.suffixes, self.start = slots, weights, suffixes, start
        self.root_logp, self.root_next = root
        self._memory = memory
        self._bits = np.uint64(bits[0]), np.uint64(bits[1])

    @property
    def nbytes(self) -> int:
        """The memory of the automaton, bytes."""
        return sum(
            a.nbytes for a in (self.slots, self.root_logp, self.root_next, self.weights, self.suffixes)
        )

    def log_probs(self, ids: Ints, lengths: Ints) -> NDArray[np.float64]:
        """Compute log p of each token of paths after x0 that lie end to end, `[Σ lengths]` nats.

        Args:
            ids: `[Σ lengths]`, the tokens, each an id of the vocabulary.
            lengths: `[n]`, the number of tokens of each path.
        """
        from pofx.models.ngram.automaton_kernel import read

        fresh = np.zeros(len(ids), dtype=np.bool_)
        fresh[(np.cumsum(lengths) - lengths)[lengths > 0]] = True
        out = np.empty(len(ids))
        tables = self.slots, self.slots.view(np.float64), *self._bits, self.root_logp, self.root_next
        for lo in range(0, len(ids), BLOCK):
            before = min(lo, self._memory)
            some = slice(lo - before, lo + BLOCK)
            read(
                ids[some],
                fresh[some],
                before,
                self._memory,
                LANES,
                *tables,
                self.weights,
                self.suffixes,
                np.uint64(self.start),
                out[lo : lo + BLOCK],
            )
        return out


class AutomatonOnDemand:
    """The automaton of a model, made when the model has read so much that the automaton pays. Local to one model."""

    def __init__(self, backoff: Backoff, begin: int) -> None:
        self._backoff, self._begin = backoff, begin
        self._read = 0
        self._made: BackoffAutomaton | None = None
        self._possible = backoff.levels.chain

    def to_read(self, n: int) -> BackoffAutomaton | None:
        """Return the automaton for `n` more tokens; None where the model has read too few tokens, or has no automaton."""
        self._read += n
        if self._possible and self._made is None and self._read >= LEAST + len(self._backoff.table):
            if find_spec("numba") is not None:
                self._made = make_automaton(self._backoff, self._begin)
            self._possible = self._made is not None
        return self._made


def make_automaton(backoff: Backoff, begin: int) -> BackoffAutomaton | None:
    """Make the automaton of the distributions of a table.

    Args:
        backoff: The distributions.
        begin: The code of x0.

    Returns:
        The automaton. None for estimates without a chain of shorter histories, for a damaged table whose n-grams lack
        their histories, and for so many states that two of them and a token need more than 63 bits.
    """
    from pofx.models.ngram.automaton_kernel import EMPTY, put

    table, levels, order = backoff.table, backoff.levels, backoff.order
    if not levels.chain or not len(table):
        return None
    # The histories of a mapped model are found for this call alone: kept, they would take 8 bytes an n-gram.
    found = find_histories(table) if isinstance(levels.history, Histories) else levels.history
    # A string that ends in padding is no n-gram.
    whole = {k: table.oldest(k) != 0 for k in range(1, order + 1)}
    if not all(_has_histories(table, found[k], whole, k) for k in range(2, order + 1)):
        return None
    newest = {k: table.packing.code(table.words[table.first(k)], 0).astype(np.int64) for k in whole}
    if any((newest[k][whole[k]] == begin).any() for k in range(2, order + 1)):
        return None

    state = {0: np.zeros(1, dtype=np.int32)}
    with np.errstate(divide="ignore"):
        weights = [np.log(np.asarray(levels.weight[0], dtype=np.float64))]
    suffixes = [np.zeros(1, dtype=np.int32)]
    n_states = 1
    for k in range(1, order):
        weight = np.asarray(levels.weight[k], dtype=np.float64)
        kept = whole[k] & (weight != 1.0)
        kept[found[k + 1][whole[k + 1]]] = True
        shorter = state[k - 1][table.parent(k)] if k > 1 else np.zeros(len(kept), dtype=np.int32)
        state[k] = shorter.copy()
        state[k][kept] = n_states + np.arange(np.count_nonzero(kept))
        n_states += int(np.count_nonzero(kept))
        suffixes.append(shorter[kept])
        with np.errstate(divide="ignore"):
            weights.append(np.log(weight[kept]))
    bits = max(n_states - 1, 1).bit_length(), max(backoff.size - 1, 1).bit_length()
    n = sum(int(np.count_nonzero(whole[k])) for k in range(2, order + 1))
    if 2 * bits[0] + bits[1] > 63 or n >= 1 << 31:
        return None

    size = n + n // 2 + 2
    slots = np.full(2 * size, EMPTY)
    for k in range(2, order + 1):
        some = np.flatnonzero(whole[k])
        history = found[k][some]
        with np.errstate(divide="ignore"):
            logp = np.log(numbers_at(levels.prob[k], some, history))
        keys = state[k - 1][history].astype(np.uint64) << np.uint64(bits[1])
        keys |= (newest[k][some] - 1).astype(np.uint64)
        after = state[k][some] if k < order else state[k - 1][table.parent(k)[some]]
        put(slots, slots.view(np.float64), keys, after.astype(np.uint64), logp, np.uint64(bits[0]))

    with np.errstate(divide="ignore"):
        root_logp = np.full(backoff.size, np.log(levels.prob[0][0]) + weights[0][0])
        root_next = np.zeros(backoff.size, dtype=np.int32)
        words = np.flatnonzero(whole[1] & (newest[1] < begin))
        root_logp[newest[1][words] - 1] = np.log(levels.prob[1][words])
    start = 0
    if order > 1:
        root_next[newest[1][words] - 1] = state[1][words]
        start = int(state[1][newest[1] == begin].max(initial=0))
    return BackoffAutomaton(
        slots,
        bits,
        (root_logp, root_next),
        np.concatenate(weights),
        np.concatenate(suffixes),
        start,
        order - 1,
    )


def _has_histories(
    table: PrefixTable, history: NDArray[np.int64], whole: dict[int, NDArray[np.bool_]], k: int
) -> bool:
    """Return whether the history of each n-gram of length k is an n-gram of the table."""
    some = np.flatnonzero(whole[k])
    longer, shorter = table.first(k)[some], table.first(k - 1)[history[some]]
    return all(np.array_equal(_codes(table, longer, j + 1), _codes(table, shorter, j)) for j in range(k - 1))


def _codes(table: PrefixTable, rows: NDArray[np.int64], place: int) -> NDArray[np.uint64]:
    return table.packing.code(table.words[rows], place)
