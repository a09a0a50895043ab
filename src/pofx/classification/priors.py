"""P(t): how probable each class is before a text is seen."""

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
        prior: "empirical": count / Σ count, so −∞ for a class without documents. "uniform": 1/C. Or weights, as an array in
            the order of `classes` or a mapping from label; these are normalised, and zeros are allowed.
        classes: The labels.
        count: Documents of each class, `[C]`.

    Returns:
        log P(t), nats.

    Raises:
        BadValue: The prior is anything else.

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
                f"prior: expected 'empirical', 'uniform', {n} numbers or a mapping of labels, found {prior!r:.60}",
                None,
            )
        if not count.sum() > 0:
            raise BadValue(
                "prior: expected documents with labels to count for 'empirical', found none",
                "name another prior",
            )
        return np.asarray(count / count.sum(), dtype=np.float64)
    if isinstance(prior, Mapping):
        if set(prior) != set(classes):
            odd = sorted(map(repr, set(prior) ^ set(classes)))
            raise BadValue(
                f"prior: expected a number for each of {n} classes and no other, found it otherwise for "
                f"{', '.join(odd[:5])}{' …' if len(odd) > 5 else ''}",
                None,
            )
        prior = [prior[t] for t in classes]
    weights = np.array(check_weights("prior", prior, n))
    return np.asarray(weights / weights.sum(), dtype=np.float64)
