"""The bounds of bits per byte within which a filter keeps a document, and how the bounds were found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pofx.errors import BadValue
from pofx.filtering.reference import Floats, ranks
from pofx.values import check_real_number

How = Literal["quantiles", "labels"]


@dataclass(frozen=True)
class Bounds:
    """The bounds of one language.

    Attributes:
        low: The least bits per byte that is kept; −∞ for no bound.
        high: The largest bits per byte that is kept; ∞ for no bound.
        how: "quantiles" of a sample, or "labels": files of good and of bad documents.
        kept: How many documents of the sample lie within the bounds; with labels, how many good ones.
        documents: How many documents the sample has; with labels, how many good ones.
        kept_bad: With labels, how many bad documents lie within the bounds; else 0.
        bad: With labels, how many bad documents there are; else 0.
    """

    low: float
    high: float
    how: How
    kept: int
    documents: int
    kept_bad: int = 0
    bad: int = 0


def bounds_of_quantiles(bits_per_byte: Floats, quantiles: tuple[float, float]) -> Bounds:
    """Return the bounds between which a stated share of a sample lies.

        kept = ⌈n · upper⌉ − ⌊n · lower⌋ documents of n, and more only where documents have equal bits per byte

    Args:
        bits_per_byte: A value for each document of the sample, `[n]`, in any order.
        quantiles: The lower and the upper quantile, 0 ≤ lower < upper ≤ 1. A bound at 0 or 1 is no bound.

    Returns:
        The bounds. A finite bound is the value of a document that is kept.

    Raises:
        BadValue: The quantiles are outside their domain, or there is no document.

    Right: `bounds_of_quantiles(values, (0.01, 0.9))` with values of documents that no model was fitted on. Wrong: the same
    call with values of documents of the fit, which are too low.
    """
    lower, upper = check_quantiles(quantiles)
    n = len(bits_per_byte)
    if not n:
        raise BadValue(
            "expected documents to find the bounds with, got none",
            "add documents to the sample",
            argument="bits_per_byte",
        )
    values = np.sort(bits_per_byte)
    first, end = ranks(n, (lower, upper))
    low = float(values[first]) if lower > 0 else -math.inf
    high = float(values[end - 1]) if upper < 1 else math.inf
    return Bounds(low, high, "quantiles", int(np.sum((values >= low) & (values <= high))), n)


def check_quantiles(quantiles: tuple[float, float]) -> tuple[float, float]:
    """Return a pair of quantiles, or raise `BadValue` where 0 ≤ lower < upper ≤ 1 does not hold."""
    lower, upper = (check_real_number("quantiles", q, 0, 1) for q in quantiles)
    if lower >= upper:
        raise BadValue(
            f"expected a lower and a larger upper quantile, got {lower:g} and {upper:g}",
            "write the lower one first",
            argument="quantiles",
        )
    return lower, upper


def bounds_of_labels(good: Floats, bad: Floats) -> Bounds:
    """Return the bounds with the largest difference of two shares: of good documents, and of bad ones, within them.

        (low, high) = argmax  #{g : low ≤ g ≤ high} / n_good − #{b : low ≤ b ≤ high} / n_bad

    Of several best bounds, those with the lowest upper bound are returned, and of these the narrowest. A side on which no
    bad document lies has no bound.

    Args:
        good: Bits per byte of good documents, `[n]`.
        bad: Bits per byte of bad documents, `[m]`.

    Returns:
        The bounds.

    Raises:
        BadValue: There is no good or no bad document.
    """
    for name, values in (("good", good), ("bad", bad)):
        if not len(values):
            raise BadValue(
                f"expected {name} documents to find the bounds with, got none", "add documents", argument=name
            )
    values, at = np.unique(np.concatenate([good, bad]), return_inverse=True)
    # Whole numbers, so that no rounding decides between equal shares: n_bad for a good document, −n_good for a bad one.
    gain = np.zeros(len(values), dtype=np.int64)
    np.add.at(gain, at[: len(good)], len(bad))
    np.add.at(gain, at[len(good) :], -len(good))
    first, last = _best_run(gain)
    low, high = float(values[first]), float(values[last])
    if not (bad < low).any():
        low = -math.inf
    if not (bad > high).any():
        high = math.inf
    kept, kept_bad = (int(np.sum((v >= low) & (v <= high))) for v in (good, bad))
    return Bounds(low, high, "labels", kept, len(good), kept_bad, len(bad))


def _best_run(gain: np.ndarray[tuple[int], np.dtype[np.int64]]) -> tuple[int, int]:
    """Return the first and the last place of the run with the largest sum; of equal sums the first and shortest run."""
    best, first, last = None, 0, 0
    total, start = 0, 0
    for k, g in enumerate(gain.tolist()):
        if total <= 0:
            total, start = 0, k
        total += g
        if best is None or total > best:
            best, first, last = total, start, k
    return first, last
