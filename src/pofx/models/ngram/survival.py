"""The exact distribution of text lengths of a smoothed n-gram, in time linear in the n-grams that were seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pofx.models.ngram.backoff import Backoff
from pofx.models.ngram.counting import Codes

# The bound on n-grams times tokens. 150 M take about 4 s, which is 128 tokens of an order-6 model of 1.7 MB of text.
WORK = 150_000_000


def survival_by_backoff(backoff: Backoff, end: int, lengths: Sequence[int]) -> tuple[float, ...]:
    """Compute P(length > L) exactly, for as many of the lengths as the bound on the work allows.

    Let a_t(h) be the probability that t more tokens follow history h without EOS. A token unseen after h has its
    probability after the shorter h', times one weight. So one step takes time linear in the seen n-grams:

        a_t(h) = weight(h) · [a_t(h') − Σ_{w seen} p(w|h') a_{t−1}(h'w)] + Σ_{w seen} p(w|h) a_{t−1}(hw)

    Right: a distribution by Kneser–Ney or maximum likelihood. Wrong: additive smoothing of order > 1, which does not back
    off.
    """
    assert backoff.levels.chain or backoff.order == 1  # noqa: S101  (ours)
    table, levels, order = backoff.table, backoff.levels, backoff.order
    steps = [_Step(backoff, k, end) for k in range(1, order + 1)]
    unseen = backoff.size - 1 - len(steps[0].gram)  # EOS never survives
    alive = {k: np.ones(len(table.first(k))) for k in range(order)}
    up = {k: table.group(k - 1)[table.first(k)] for k in range(1, order)}
    start = 0
    if order > 1:
        start = int(np.flatnonzero(table.oldest(1) == Codes(backoff.size).begin)[0])
    most = max(1, WORK // max(1, sum(len(s.gram) for s in steps)))
    out: dict[int, float] = {}
    for t in range(1, min(max(lengths) + 1, most + 1) + 1):
        shorter = np.array([unseen / backoff.size * alive[0][0]]) + steps[0].shared(alive)
        after: dict[int, NDArray[np.float64]] = {}
        for k, step in enumerate(steps):
            whole = shorter if k == 0 else after[k - 1][up[k]]
            after[k] = np.asarray(levels.weight[k]) * (whole - step.shared(alive)) + step.own(alive)
        alive = after
        out[t - 1] = float(alive[min(1, order - 1)][start])
    return tuple(out[n] for n in lengths if n in out)


class _Step:
    """The seen n-grams of one length k: their histories, the histories that they lead to, and their probabilities."""

    def __init__(self, backoff: Backoff, k: int, end: int) -> None:
        table, levels = backoff.table, backoff.levels
        newest = table.packing.code(table.words[table.first(k)], 0).astype(np.int64) - 1
        self.k, self.last = k, k == backoff.order
        self.gram = np.flatnonzero(levels.seen[k] & (newest != end))
        self.history = levels.history[k][self.gram]
        self.size = len(table.first(k - 1))
        self.parent = table.group(k - 1)[table.first(k)[self.gram]]
        self.p = levels.prob[k][self.gram]
        self.p_below = levels.prob[k - 1][self.parent]

    def own(self, alive: dict[int, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return the sum Σ p(w|h) a(hw) over the tokens w that were seen after each history."""
        lived = alive[self.k - 1][self.parent] if self.last else alive[self.k][self.gram]
        return np.bincount(self.history, weights=self.p * lived, minlength=self.size).astype(np.float64)

    def shared(self, alive: dict[int, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return the sum Σ p(w|h') a(h'w) over the same tokens: their part of the sum of the shorter history."""
        if self.k == 1:
            lived = alive[0][self.parent] if self.last else alive[1][self.gram]
        else:
            lived = alive[self.k - 1][self.parent]
        return np.bincount(self.history, weights=self.p_below * lived, minlength=self.size).astype(np.float64)
