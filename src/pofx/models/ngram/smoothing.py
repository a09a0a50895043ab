"""Smoothing: from counts of n-grams to probabilities, in one back-off form for all estimates.

Every estimate has two kinds of numbers. `prob[k][g]` is the probability of the last token of n-gram g of length k, given
its history. `weight[k][h]` is the weight that a history h of length k gives to the next shorter history h':

    p(w | h) = prob(hw)                 if hw was seen
             = weight(h) · p(w | h')    otherwise; h' is h without its oldest token; weight 1 for unseen h

Below the empty history stands the uniform distribution 1/V. Interpolated estimates have this form, too, since `prob` holds
their sums.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.prefix_table import PackedStrings, PrefixTable
from pofx.models.ngram.counting import Counts

if TYPE_CHECKING:
    from pofx.models.ngram.quantized import Quantization

Probs = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Levels:
    """The numbers of an estimate, by the length k of the n-gram, one number for each group of the table's level k.

    Attributes:
        prob: For k = 1 … order, the probability of the last token of each n-gram.
        weight: For k = 0 … order − 1, the weight that each history gives to the next shorter one.
        history: For k = 1 … order, the group at level k − 1 of the history of each n-gram.
        seen: For k = 1 … order, whether each n-gram was an event and is not pruned.
        chain: Whether an unseen token falls back to the next shorter history; else it falls back to 1/V at once.
        discounts: For Kneser–Ney, for each k the discounts of n-grams that were counted once, twice and more often.
        quantization: How far numbers of 8 bits are from those before; None for numbers of 64 bits.
    """

    prob: dict[int, Probs]
    weight: dict[int, Probs]
    history: Mapping[int, NDArray[np.int64]]
    seen: dict[int, NDArray[np.bool_]]
    chain: bool = True
    discounts: dict[int, tuple[float, float, float]] | None = None
    quantization: Quantization | None = None


def smooth(
    counts: Counts,
    vocab_size: int,
    smoothing: str,
    alpha: float,
    begin_code: int,
    prune: Sequence[int] = (),
) -> Levels:
    """Estimate probabilities from counts by the smoothing and the thresholds of pruning of an `NgramSpec`."""
    table, order = counts.table, counts.table.packing.depth
    history = find_histories(table)
    raw = {
        k: np.add.reduceat(counts.events, table.first(k)) if len(table) else counts.events
        for k in range(1, order + 1)
    }
    if smoothing == "kneser-ney":
        return _kneser_ney(table, raw, history, vocab_size, begin_code, prune)
    return _relative(table, raw, history, vocab_size, alpha if smoothing == "additive" else 0.0)


class Histories(Mapping[int, NDArray[np.int64]]):
    """The histories of a table, found when something first asks for them: log p of a text needs none of them."""

    def __init__(self, table: PrefixTable) -> None:
        self._table = table

    @cached_property
    def _found(self) -> dict[int, NDArray[np.int64]]:
        return find_histories(self._table)

    def __getitem__(self, level: int) -> NDArray[np.int64]:
        return self._found[level]

    def __iter__(self) -> Iterator[int]:
        return iter(self._found)

    def __len__(self) -> int:
        return self._table.packing.depth


def find_histories(table: PrefixTable) -> dict[int, NDArray[np.int64]]:
    """Find, for each level k and group, the group at level k − 1 of its string without the first, newest code.

    One search serves all levels. The string of a row without its newest code is a prefix of some row, since the text had
    that string one position earlier.
    """
    pk, n = table.packing, len(table)
    columns = [pk.code(table.words, k) for k in range(1, pk.depth)]
    if pk.words == 1:
        row = np.searchsorted(table.words[:, 0], _shifted(table.words, columns, table)[:, 0])
    else:
        row, _ = table.find(_shifted(table.words, columns, table))
    row = np.minimum(row, max(n - 1, 0))
    out = {}
    for k in range(1, pk.depth + 1):
        out[k] = table.group(k - 1)[row[table.first(k)]].astype(np.int64)
    return out


def _shifted(words: PackedStrings, columns: list[NDArray[np.uint64]], table: PrefixTable) -> PackedStrings:
    if table.packing.words == 1:
        drop = np.uint64((1 << (table.packing.bits * table.packing.depth)) - 1)
        return (words << np.uint64(table.packing.bits)) & drop
    return table.packing.pack_columns([*columns, np.zeros(len(words), dtype=np.uint64)])


def _kneser_ney(
    table: PrefixTable,
    raw: dict[int, Any],
    history: dict[int, NDArray[np.int64]],
    vocab_size: int,
    begin_code: int,
    prune: Sequence[int],
) -> Levels:
    """Estimate by interpolated modified Kneser–Ney smoothing (Chen & Goodman 1999, §4.1.6).

    p(w|h) = (a(hw) − D(a))/Σ_v a(hv) + weight(h) · p(w|h'),   weight(h) = Σ_v D(a(hv)) / Σ_v a(hv).

    a is a count for the longest n-grams and for those after x0. For all others a is the number of distinct tokens that were
    seen before hw. For an n-gram that is pruned D(a) = a: it is not seen, and its history gives its mass to h'. The numbers
    n_j, which decide the discounts, are those before the pruning, as in lmplz.
    """
    order = table.packing.depth
    prob: dict[int, Probs] = {0: np.array([1.0 / vocab_size])}
    weight: dict[int, Probs] = {}
    seen: dict[int, NDArray[np.bool_]] = {}
    discounts = {}
    for k in range(1, order + 1):
        oldest = table.oldest(k)
        adjusted = raw[k]
        if k < order:
            extensions = np.add.reduceat(raw[k + 1] > 0, table.group(k + 1)[table.first(k)], dtype=np.int64)
            adjusted = np.where(oldest == begin_code, raw[k], extensions)
        seen[k] = (adjusted > 0) & (oldest != 0)
        adjusted = np.where(seen[k], adjusted, 0)
        discounts[k] = discounts_of(np.bincount(np.minimum(adjusted, 5), minlength=6))
        cut = np.array([0.0, *discounts[k]])[np.minimum(adjusted, 3)]
        if threshold := threshold_of(prune, k):
            seen[k] &= raw[k] > threshold
            cut = np.where(seen[k], cut, adjusted)
        total, kept = _sums(history[k], adjusted, len(prob[k - 1])), _sums(history[k], cut, len(prob[k - 1]))
        with np.errstate(divide="ignore", invalid="ignore"):
            weight[k - 1] = np.where(total > 0, kept / total, 1.0)
            share = (adjusted - cut) / total[history[k]]
        below = prob[k - 1][table.group(k - 1)[table.first(k)]]
        prob[k] = np.where(seen[k], share, 0.0) + weight[k - 1][history[k]] * below
    return Levels(prob, weight, history, seen, True, discounts)


def threshold_of(prune: Sequence[int], k: int) -> int:
    """Return how often an n-gram of length k may be counted and still be left out; the last number holds for all longer."""
    return prune[min(k, len(prune)) - 1] if prune else 0


def discounts_of(n: NDArray[np.int64]) -> tuple[float, float, float]:
    """Estimate D_j = j − (j+1) · Y · n_{j+1}/n_j with Y = n1/(n1 + 2 n2), n_j the number of n-grams counted j times.

    Small data may have n_j = 0, or a D_j outside [0, j]; KenLM stops there. Here such a D_j falls back to 0.5, 1 or 1.5. A
    D_j below 0.01 falls back, too, since it would leave nothing to unseen tokens.

    Args:
        n: `[6]`, the numbers n_0 … n_4 of n-grams that were counted so often, and of those that were counted more often.
    """
    out = []
    y = n[1] / (n[1] + 2 * n[2]) if n[1] and n[2] else np.nan
    for j, fallback in ((1, 0.5), (2, 1.0), (3, 1.5)):
        d = j - (j + 1) * y * n[j + 1] / n[j] if n[j] and n[j + 1] else np.nan
        out.append(float(d) if 0.01 <= d < j else fallback)
    return out[0], out[1], out[2]


def _relative(
    table: PrefixTable,
    raw: dict[int, Any],
    history: dict[int, NDArray[np.int64]],
    vocab_size: int,
    alpha: float,
) -> Levels:
    """Estimate by (c(hw) + α) / (c(h) + αV); α = 0 is maximum likelihood, c(hw)/c(h).

    With α > 0, a token unseen after h has α/(c(h) + αV), and an unseen history has the uniform distribution. With α = 0, a
    token unseen after h has 0, and an unseen history has the distribution of its longest suffix that was seen.
    """
    order = table.packing.depth
    prob: dict[int, Probs] = {0: np.array([1.0 / vocab_size])}
    weight: dict[int, Probs] = {}
    seen: dict[int, NDArray[np.bool_]] = {}
    for k in range(1, order + 1):
        seen[k] = (raw[k] > 0) & (table.oldest(k) != 0)
        count = np.where(seen[k], raw[k], 0)
        total = _sums(history[k], count, len(prob[k - 1]))
        mass = total + alpha * vocab_size
        with np.errstate(divide="ignore", invalid="ignore"):
            weight[k - 1] = np.where(total > 0, alpha * vocab_size / mass, 1.0)
            ratio = (count + alpha) / mass[history[k]]
        prob[k] = np.where(seen[k], ratio, weight[k - 1][history[k]] / vocab_size)
    return Levels(prob, weight, history, seen, chain=alpha == 0)


def _sums(groups: NDArray[np.int64], values: NDArray[Any], size: int) -> Probs:
    sums: Probs = np.bincount(groups, weights=values, minlength=size).astype(np.float64)
    return sums
