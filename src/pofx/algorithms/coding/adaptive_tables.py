"""The integer tables of the adaptive model: logistic function and its inverse, histories of bits, rates."""

from __future__ import annotations

import decimal
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints32 = NDArray[np.int32]

# A bit of probability 32/65,536 costs 11 bits, one of 1 − 32/65,536 a 1,400th: zeros by the megabyte shrink 1,400-fold.
LEAST = 32


class Tables(NamedTuple):
    """What the kernel looks up.

    squash[d + 2048] = 65,536 / (1 + exp(−d/256)), and stretch[p / 16] = d, its inverse. after[y, h]: the history h
    (3 bits zeros, 3 bits ones, the last two bits seen) followed by bit y. first[h]: P(1 | h) to begin with, the KT
    estimate. rate[n] = 2¹⁶ / (n + 3/2): how far the (n+1)-th observation moves a mean.
    """

    squash: Ints32
    stretch: Ints32
    after: NDArray[np.uint8]
    first: Ints32
    rate: Ints32


@cache
def tables() -> Tables:
    """Made once, of integers and of decimals, whose exp is correctly rounded: the same on every machine."""
    squash = _squash()
    counts = [(h >> 5, (h >> 2) & 7) for h in range(256)]
    first = [65536 * (2 * ones + 1) // (2 * (zeros + ones) + 2) for zeros, ones in counts]
    rate = [2 * 65536 // (2 * n + 3) for n in range(256)]
    return Tables(
        squash, _stretch(squash), _after(), np.array(first, dtype=np.int32), np.array(rate, dtype=np.int32)
    )


def _squash() -> Ints32:
    with decimal.localcontext(prec=20):
        exact = [65536 / (1 + (decimal.Decimal(2048 - i) / 256).exp()) for i in range(4096)]
        return np.array([min(max(int(p.to_integral_value()), LEAST), 65536 - LEAST) for p in exact], np.int32)


def _stretch(squash: Ints32) -> Ints32:
    at = np.searchsorted(squash, 16 * np.arange(4096) + 8)
    return (np.minimum(at, 4095) - 2048).astype(np.int32)


def _after() -> NDArray[np.uint8]:
    """Each count up to 7; what speaks against the last bit is halved where it was more than 2: texts change."""
    out = np.zeros((2, 256), dtype=np.uint8)
    for h in range(256):
        for y in (0, 1):
            zeros, ones = h >> 5, (h >> 2) & 7
            same, other = (ones, zeros) if y else (zeros, ones)
            same = min(same + 1, 7)
            other = other if other <= 2 else min((other + 3) // 2, 4)
            zeros, ones = (other, same) if y else (same, other)
            out[y, h] = zeros << 5 | ones << 2 | ((h << 1 | y) & 3)
    return out
