"""Probabilities and back-off weights of 8 bits, whose distributions sum to 1.

Log p of the seen n-grams of a length, and the logarithm of the weights of a length, are rounded to one of 255 numbers with
equal gaps. Rounded probabilities q and weights u no longer make distributions that sum to 1. So each history h has one more
number z(h), of 32 bits, by which q and u are multiplied:

    p(w | h) = z(h) · q(hw)                if hw was seen
             = z(h) · u(h) · p(w | h')     otherwise
    z(h)     = 1 / (Σ_seen q(hw) + u(h) · (1 − Σ_seen p(w | h')))

The 1-grams stay as they are, since there are few of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pofx.models.ngram.smoothing import Levels, Probs

BITS = 8
_CODES = 1 << BITS


@dataclass(frozen=True)
class Quantization:
    """How far the numbers of a quantised model are from the numbers before the rounding.

    Attributes:
        bits: The bits of a number.
        max_nats: The largest change of log p of a seen n-gram, or of the logarithm of a weight, nats.
        mean_nats: The mean of these changes, nats.
    """

    bits: int
    max_nats: float
    mean_nats: float


@dataclass(frozen=True, eq=False)
class Rounded:
    """A column of numbers of 8 bits, times a number for each history.

    Attributes:
        codes: `[n]`, the code of each number.
        book: `[256]`, the number of each code.
        scale: `[histories]`, z of each history.
        level: The length of the n-grams of a column of probabilities; None for weights, which are numbers of a history.
        histories: For each length k, the group at level k − 1 of the history of each n-gram.
    """

    codes: NDArray[np.uint8]
    book: Probs
    scale: NDArray[np.float32]
    level: int | None
    histories: Mapping[int, NDArray[np.int64]]

    def at(self, group: NDArray[np.integer], history: NDArray[np.integer]) -> Probs:
        """Return the numbers of some groups, `[q]`, whose histories are given, `[q]`."""
        found: Probs = self.book[self.codes[group]] * self.scale[history]
        return found

    def __getitem__(self, which: Any) -> Probs:
        history = which if self.level is None else self.histories[self.level][which]
        return cast(Probs, self.book[self.codes[which]] * self.scale[history])

    def __len__(self) -> int:
        return len(self.codes)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)


def numbers_at(column: Probs | Rounded, group: NDArray[np.integer], history: NDArray[np.integer]) -> Probs:
    """Return the numbers of some groups; a column without rounding needs no histories."""
    return column.at(group, history) if isinstance(column, Rounded) else column[group]


def quantize_levels(levels: Levels, parents: Mapping[int, NDArray[np.integer]]) -> Levels:
    """Round the numbers of a smoothed estimate whose n-grams of two or more tokens are seen, or end in padding.

    Args:
        levels: The numbers.
        parents: For each length from 2 on, the group of each n-gram without its oldest token.

    Returns:
        The rounded numbers, with the changes in `quantization`.
    """
    order = len(levels.prob) - 1
    out = Levels(
        {k: levels.prob[k] for k in (0, 1)}, {0: levels.weight[0]}, levels.history, levels.seen, levels.chain
    )
    below: Probs = np.asarray(levels.prob[1])
    changes = [np.zeros(1)]
    for k in range(2, order + 1):
        seen, history = levels.seen[k], levels.history[k]
        # Code 0 is an n-gram that is not seen, or the weight 1 of a history without n-grams.
        codes, book = _rounded(np.asarray(levels.prob[k]), seen, 0.0)
        exact = np.asarray(levels.weight[k - 1])
        weight_codes, weight_book = _rounded(exact, exact != 1.0, 1.0)
        size = len(levels.seen[k - 1])
        q = book[codes]
        shared = np.where(seen, below[parents[k]], 0.0)
        rest = weight_book[weight_codes] * (1.0 - np.bincount(history, shared, size))
        scale = (1.0 / (np.bincount(history, q, size) + rest)).astype(np.float32)
        out.prob[k] = cast(Any, Rounded(codes, book, scale, k, levels.history))
        out.weight[k - 1] = cast(Any, Rounded(weight_codes, weight_book, scale, None, levels.history))
        below = q * scale[history]
        changes.append(np.abs(np.log(below[seen]) - np.log(np.asarray(levels.prob[k])[seen])))
        changes.append(np.abs(np.log(weight_book[weight_codes] * scale) - np.log(exact)))
    every = np.concatenate(changes)[1:]
    found = Quantization(BITS, float(every.max(initial=0)), float(every.mean()) if len(every) else 0.0)
    return Levels(
        out.prob, out.weight, out.history, out.seen, out.chain, levels.discounts, quantization=found
    )


def _rounded(numbers: Probs, some: NDArray[np.bool_], other: float) -> tuple[NDArray[np.uint8], Probs]:
    """Round the logarithms of some numbers to one of 255 logarithms; all other numbers get code 0, which stands for `other`.

    Returns:
        The code of each number, `[n]`, and the number of each code, `[256]`.
    """
    codes, book = np.zeros(len(numbers), dtype=np.uint8), np.full(_CODES, other)
    if some.any():
        logs = np.log(numbers[some])
        low, high = float(logs.min()), float(logs.max())
        step = (high - low) / (_CODES - 2) or 1.0
        codes[some] = 1 + np.rint((logs - low) / step).astype(np.uint8)
        book[1:] = np.exp(low + step * np.arange(_CODES - 1))
    return codes, book
