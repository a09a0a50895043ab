"""Two models on the same items: the difference of their accuracies, and whether chance may explain this difference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.statistics.clusters import bootstrap_mean
from pofx.algorithms.statistics.proportions import mcnemar
from pofx.errors import BadValue
from pofx.values import check_whole_number

DRAWS = 2000


@dataclass(frozen=True)
class Comparison:
    """The answers of two models to the same items.

    Attributes:
        n: The number of items.
        only_first: The number of items that only the first model answers right.
        only_second: The number of items that only the second model answers right.
        difference: The accuracy of the first model less that of the second, from −1 to 1.
        low: The lower end of the 95 % interval of `difference`, by a bootstrap of items.
        high: The upper end of this interval.
        p_value: The p-value of McNemar's exact test.
    """

    n: int
    only_first: int
    only_second: int
    difference: float
    low: float
    high: float
    p_value: float


def compare(first: NDArray[np.bool_], second: NDArray[np.bool_], seed: int = 0) -> Comparison:
    """Compare two models by the items that each answers right.

    Args:
        first: Whether the first model is right, `[n]`.
        second: Whether the second model is right on the same items, `[n]`.
        seed: The seed of the bootstrap.

    Returns:
        The comparison.

    Raises:
        BadValue: There is no item, the two arrays differ in length, or the seed is no whole number.

    Right: `compare(a.right, b.right)` of two reports on the same items. Wrong: take two overlapping intervals of accuracy
    as evidence of no difference, since the answers of two models to one item depend on each other.
    """
    if len(first) != len(second) or not len(first):
        raise BadValue(
            f"expected the same items for both models, got {len(first):,} and {len(second):,}",
            "evaluate both models on one list of items",
            argument="second",
        )
    gain = first.astype(np.float64) - second.astype(np.float64)
    b, c = int(np.sum(gain > 0)), int(np.sum(gain < 0))
    low, high = bootstrap_mean(
        gain,
        np.arange(len(gain), dtype=np.int64),
        0.95,
        DRAWS,
        np.random.default_rng(check_whole_number("seed", seed)),
    )
    return Comparison(len(gain), b, c, float(gain.mean()), low, high, mcnemar(b, c))
