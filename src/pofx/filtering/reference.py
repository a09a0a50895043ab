"""The bits per byte of a sample of one language, and the share of the sample that is at most as surprising as a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The most values of a reference. Evenly spaced quantiles change no share by more than 1/1,000.
KEPT = 1000


@dataclass(frozen=True, eq=False)
class Reference:
    """The bits per byte of a sample.

    Attributes:
        values: Bits per byte in rising order: all values of the sample, or `KEPT` evenly spaced values of a larger sample.
        documents: The number of documents of the sample.
    """

    values: Floats
    documents: int

    def quantile(self, bits_per_byte: Floats) -> Floats:
        """Return the share of the sample that has at most so many bits per byte.

        Args:
            bits_per_byte: The values to compare, `[n]`.

        Returns:
            The shares, `[n]`, from 0 to 1.
        """
        below = np.searchsorted(self.values, bits_per_byte, side="right")
        out: Floats = below / max(1, len(self.values))
        return out


def make_reference(bits_per_byte: Floats) -> Reference:
    """Return the reference of a sample.

    Args:
        bits_per_byte: A value for each document of the sample, `[n]`, in any order.

    Returns:
        The reference.
    """
    values = np.sort(bits_per_byte)
    if len(values) > KEPT:
        values = values[np.round(np.linspace(0, len(values) - 1, KEPT)).astype(np.int64)]
    return Reference(values, len(bits_per_byte))


def ranks(n: int, quantiles: Sequence[float]) -> tuple[int, int]:
    """Return how many of n documents lie below the lower quantile, and how many up to the upper one.

    ⌈n · upper⌉ − ⌊n · lower⌋ documents lie between. A quantile is read as the decimal that was typed, since 0.29 · 100 is
    28.999… in floats.

    Args:
        n: The number of documents.
        quantiles: The lower and the upper quantile.

    Returns:
        ⌊n · lower⌋ and ⌈n · upper⌉.
    """
    low, high = (Fraction(repr(float(q))) for q in quantiles)
    return int(n * low), -int(-n * high // 1)
