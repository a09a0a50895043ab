"""A table of n-grams as the law it stands for: p of a token, and p of every token, behind a history."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.prefix_table import Index, PrefixTable
from pofx.models.ngram.smoothing import Levels


class Backoff:
    """`Levels` over a `PrefixTable`, for a vocabulary of `size` outcomes."""

    def __init__(self, table: PrefixTable, levels: Levels, size: int) -> None:
        self.table, self.levels, self.size = table, levels, size
        self.order = table.packing.depth

    def log_prob(
        self, row: Index, length: NDArray[np.int8], at: Index, known: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """log p of the token at each position: its longest n-gram, and the weights of longer histories.

        known: the length of each history as it stands in the text, found or not.
        """
        levels, table = self.levels, self.table
        token_row, token_length = row[at], length[at]
        history_row, history_length = row[at - 1], np.minimum(length[at - 1], self.order - 1)
        p = np.full(len(at), levels.prob[0][0])
        if not levels.chain:
            # Only the whole history counts: its n-gram, or its share of 1/V, or 1/V where it was not found.
            whole = history_length == np.minimum(known, self.order - 1)
            token_length = np.where(whole & (token_length == history_length + 1), token_length, 0)
            history_length = np.where(whole, history_length, -1)
        for k in range(1, self.order + 1):
            some = np.flatnonzero(token_length == k)
            p[some] = levels.prob[k][table.group(k)[token_row[some]]]
        with np.errstate(divide="ignore"):
            logp: NDArray[np.float64] = np.log(p)
            for k in range(self.order):
                some = np.flatnonzero((token_length <= k) & (history_length >= k))
                if not levels.chain:
                    some = some[history_length[some] == k]
                if len(some):
                    logp[some] += np.log(levels.weight[k][table.group(k)[history_row[some]]])
        return logp

    @cached_property
    def _children(self) -> dict[int, tuple[Index, Index, Index]]:
        """For each level k: n-gram groups ordered by history, where each history's begin, and their tokens."""
        out = {}
        for k in range(1, self.order + 1):
            seen = np.flatnonzero(self.levels.seen[k])
            order = seen[np.argsort(self.levels.history[k][seen], kind="stable")]
            size = len(self.table.first(k - 1))
            offsets = np.searchsorted(self.levels.history[k][order], np.arange(size + 1))
            newest = self.table.packing.code(self.table.words[self.table.first(k)[order]], 0)
            out[k] = (order, offsets, newest.astype(np.int64) - 1)
        return out

    def laws(
        self, row: Index, length: NDArray[np.integer], known: NDArray[np.int64], exponent: bool = False
    ) -> NDArray[np.float64]:
        """p(· | history) for histories given by a row and the length found; `[q, V]`, logarithms unless `exponent`."""
        levels, table = self.levels, self.table
        laws = np.full((len(row), self.size), levels.prob[0][0])
        for k in range(self.order):
            reached = length >= k if levels.chain else (length == k) & (length == known)
            some = np.flatnonzero(reached)
            if not len(some):
                continue
            group = table.group(k)[row[some]].astype(np.int64)
            laws[some] *= levels.weight[k][group][:, None]
            order, offsets, tokens = self._children[k + 1]
            n_children = offsets[group + 1] - offsets[group]
            # Ragged ranges, flattened: position j of the batch reads child offsets[g] + (0 … n_children − 1).
            ends = np.cumsum(n_children)
            flat = np.arange(ends[-1]) + np.repeat(offsets[group] - ends + n_children, n_children)
            laws[np.repeat(some, n_children), tokens[flat]] = levels.prob[k + 1][order[flat]]
        if not exponent:
            with np.errstate(divide="ignore"):
                np.log(laws, out=laws)
        return laws
