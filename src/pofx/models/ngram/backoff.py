"""The next-token distributions of a table of n-grams: p of one token, or of every token, after a history."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.prefix_table import Index, PrefixTable
from pofx.models.ngram.quantized import numbers_at
from pofx.models.ngram.smoothing import Levels


class Backoff:
    """The back-off distribution of `Levels` over a `PrefixTable`, for a vocabulary of `size` outcomes."""

    def __init__(self, table: PrefixTable, levels: Levels, size: int) -> None:
        self.table, self.levels, self.size = table, levels, size
        self.order = table.packing.depth

    def log_prob(
        self, row: Index, length: NDArray[np.int8], at: Index, known: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Compute log p of the token at each position from its longest n-gram and the weights of longer histories, nats.

        Args:
            row: The row of the table that `PrefixTable.find` returned for each position of a text.
            length: The length of the prefix that `PrefixTable.find` returned for each position.
            at: `[p]`, the positions whose tokens are asked for.
            known: `[p]`, how many tokens each history has in the text, whether the table has them or not.
        """
        levels, table = self.levels, self.table
        token_length, history_length = length[at], np.minimum(length[at - 1], self.order - 1)
        groups = table.groups_of(row)
        p = np.full(len(at), levels.prob[0][0])
        if not levels.chain:
            # Only the whole history counts: its n-gram, or its share of 1/V, or 1/V where the table lacks the history.
            whole = history_length == np.minimum(known, self.order - 1)
            token_length = np.where(whole & (token_length == history_length + 1), token_length, 0)
            history_length = np.where(whole, history_length, -1)
        for k in range(1, self.order + 1):
            some = np.flatnonzero(token_length == k)
            p[some] = numbers_at(levels.prob[k], groups[k][at[some]], groups[k - 1][at[some] - 1])
        with np.errstate(divide="ignore"):
            logp: NDArray[np.float64] = np.log(p)
            for k in range(self.order):
                some = np.flatnonzero((token_length <= k) & (history_length >= k))
                if not levels.chain:
                    some = some[history_length[some] == k]
                if len(some):
                    logp[some] += np.log(levels.weight[k][groups[k][at[some] - 1]])
        return logp

    @cached_property
    def _children(self) -> dict[int, tuple[Index, Index, Index]]:
        """For each level k, the n-grams ordered by history, the first n-gram of each history, and the tokens."""
        out = {}
        for k in range(1, self.order + 1):
            seen = np.flatnonzero(self.levels.seen[k])
            order = seen[np.argsort(self.levels.history[k][seen], kind="stable")]
            size = len(self.table.first(k - 1))
            offsets = np.searchsorted(self.levels.history[k][order], np.arange(size + 1))
            newest = self.table.packing.code(self.table.words[self.table.first(k)[order]], 0)
            out[k] = (order, offsets, newest.astype(np.int64) - 1)
        return out

    def distributions(
        self, row: Index, length: NDArray[np.integer], known: NDArray[np.int64], exponent: bool = False
    ) -> NDArray[np.float64]:
        """Compute the next-token distributions after q histories.

        Args:
            row: `[q]`, a row of the table that begins with each history.
            length: `[q]`, the length of the part of each history that the table has.
            known: `[q]`, the length of each history in the text.
            exponent: Whether to return p and not log p.

        Returns:
            p(· | history) or its logarithm, `[q, V]`.
        """
        levels, table = self.levels, self.table
        out = np.full((len(row), self.size), levels.prob[0][0])
        groups = table.groups_of(row)
        for k in range(self.order):
            reached = length >= k if levels.chain else (length == k) & (length == known)
            some = np.flatnonzero(reached)
            if not len(some):
                continue
            group = groups[k][some].astype(np.int64)
            out[some] *= levels.weight[k][group][:, None]
            order, offsets, tokens = self._children[k + 1]
            n_children = offsets[group + 1] - offsets[group]
            # History g has the n-grams offsets[g] … offsets[g] + n_children − 1; the ranges are laid end to end.
            ends = np.cumsum(n_children)
            flat = np.arange(ends[-1]) + np.repeat(offsets[group] - ends + n_children, n_children)
            owners = np.repeat(group, n_children)
            out[np.repeat(some, n_children), tokens[flat]] = numbers_at(
                levels.prob[k + 1], order[flat], owners
            )
        if not exponent:
            with np.errstate(divide="ignore"):
                np.log(out, out=out)
        return out
