"""The integer tables of the adaptive model: the logistic function and its inverse, histories of bits, rates."""

from __future__ import annotations

import decimal
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints32 = NDArray[np.int32]

# The least probability of a bit, in 65,536ths. Such a bit costs 11 bits, and its opposite 1/1,400 bit: a megabyte of zeros
# shrinks to a 1,400th.
LEAST = 32


class Tables(NamedTuple):
    """The tables of the kernel. A history has 3 bits for a count of zeros, 3 for a count of ones, and the last two bits.

    Attributes:
        squash: squash[d + 2048] = 65,536 / (1 + exp(−d/256)).
        stretch: stretch[p / 16] = d, the inverse of `squash`.
        after: after[y, h], the history h followed by the bit y.
        first: first[h], the first estimate of P(1 | h), by Krichevsky and Trofimov.
        rate: rate[n] = 2¹⁶ / (n + 3/2), the weight of the (n+1)-th observation in a mean.
    """

    squash: Ints32
    stretch: Ints32
    after: NDArray[np.uint8]
    first: Ints32
    rate: Ints32


@cache
def tables() -> Tables:
    """Return the tables, the same on every machine: integers, and decimals, whose exp is correctly rounded."""
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
    """Return the history after each bit. Counts go to 7; the count of the other bit is halved if above 2: texts change."""
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
