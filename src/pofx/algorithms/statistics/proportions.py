"""Shares of right answers: the interval of a share, and the test of two shares of the same items."""

from __future__ import annotations

import math

# The 97.5 % quantile of the normal distribution.
Z95 = 1.959963984540054


def wilson(right: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Return the interval of a share of independent items (Wilson 1927).

        (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n), p = right / n

    Args:
        right: How many of the items are right.
        n: How many items there are, at least 1.
        z: The quantile of the normal distribution; 1.96 for an interval of 95 %.
    """
    p, zz = right / n, z * z
    middle = p + zz / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + zz / (4 * n * n))
    low, high = (middle - half) / (1 + zz / n), (middle + half) / (1 + zz / n)
    # At 0 and at n the formula gives exactly 0 and 1, but for rounding.
    return (0.0 if right == 0 else low), (1.0 if right == n else high)


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the exact two-sided p-value of McNemar's test, 1 where the two answer alike (McNemar 1947).

        p = min(1, 2 · P(X ≤ min(b, c))), X ~ Binomial(b + c, ½)

    Args:
        only_first: b, how many items only the first answers right.
        only_second: c, how many items only the second answers right.
    """
    n, k = only_first + only_second, min(only_first, only_second)
    if not n:
        return 1.0
    tail = term = 1
    for i in range(k):
        term = term * (n - i) // (i + 1)
        tail += term
    # Whole numbers: 2^n is no float above n = 1,023, and a sum of floats would lose digits.
    shift = max(0, tail.bit_length() - 900)
    return min(1.0, math.ldexp(float(tail >> shift), shift + 1 - n))
