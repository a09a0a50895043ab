"""P(t), the probability of each class before a text is seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadValue
from pofx.values import check_weights

Prior = str | Sequence[float] | NDArray[np.float64] | Mapping[Any, float]


def log_prior(prior: Prior, classes: Sequence[Any], count: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute log P(t), `[C]`, in the order of `classes`.

    Args:
        prior: "empirical" for count / Σ count, with log P(t) = −∞ for a class without documents; "uniform" for 1/C. Or
            weights, as an array in the order of `classes` or a mapping from label. Weights are normalised, and may be 0.
        classes: The labels.
        count: The number of documents of each class, `[C]`.

    Returns:
        log P(t), nats.

    Raises:
        BadValue: `prior` is no prior for these classes.

    Right: `log_prior({"ham": 9, "spam": 1}, ["ham", "spam"], count)`. Wrong: logarithms, or one number for two classes.
    """
    with np.errstate(divide="ignore"):
        return np.log(_prior_weights(prior, list(classes), count))


def _prior_weights(prior: Prior, classes: list[Any], count: NDArray[np.float64]) -> NDArray[np.float64]:
    n = len(classes)
    if isinstance(prior, str):
        if prior == "uniform":
            return np.full(n, 1 / n)
        if prior != "empirical":
            raise BadValue(
                f"expected 'empirical', 'uniform', {n} numbers or a mapping of labels, got {prior!r:.60}",
                "pass one of these priors",
                argument="prior",
            )
        if not count.sum() > 0:
            raise BadValue(
                "expected documents with labels to count for 'empirical', got none",
                "name another prior",
                argument="prior",
            )
        return np.asarray(count / count.sum(), dtype=np.float64)
    if isinstance(prior, Mapping):
        if set(prior) != set(classes):
            parts = {
                "no number for the class": set(classes) - set(prior),
                "a number for the unknown class": set(prior) - set(classes),
            }
            found = " and ".join(f"{what} {_some(of)}" for what, of in parts.items() if of)
            raise BadValue(
                f"expected a number for each of {n} classes, got {found}",
                "give each class one number",
                argument="prior",
            )
        prior = [prior[t] for t in classes]
    weights = np.array(check_weights("prior", prior, n))
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _some(labels: set[Any]) -> str:
    """Return the first labels of a set, for a message."""
    shown = sorted(map(repr, labels))
    return f"{', '.join(shown[:5])}{' …' if len(shown) > 5 else ''}"
