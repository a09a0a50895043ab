"""Labels as scikit-learn reads them, and the places of their classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.classifier.training import UNLABELLED
from pofx.errors import BadValue, require


def places(y: Any, given: Mapping[Any, Any] | None, partial: bool) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The sorted classes, and the place of each label among them, −1 for those without.

    given: its keys are the classes, whether or not they have documents. partial: None, or −1 among whole numbers,
    stands for no label, as in scikit-learn's semi-supervised estimators; else None is refused.
    """
    require("sklearn", "classify", "reading labels")
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import assert_all_finite, column_or_1d

    if y is None:
        raise BadValue("GenerativeClassifier requires y to be passed, but the target y is None")
    labels = column_or_1d(y, warn=True)
    missing = _missing(labels, partial)
    known = labels[~missing]
    if missing.any() and known.dtype == object:
        known = np.array(known.tolist())
    if not len(known) and given is None:
        raise BadValue("y: expected documents with labels, found none; label some of each class")
    assert_all_finite(known, input_name="y")
    if len(known):
        check_classification_targets(known)
    out = np.full(len(labels), UNLABELLED, dtype=np.int64)
    if given is None:
        classes, out[~missing] = np.unique(known, return_inverse=True)
        return classes, out
    classes = np.unique(np.array(list(given)))
    at = {t: i for i, t in enumerate(classes.tolist())}
    unknown = [t for t in known.tolist() if t not in at]
    if unknown:
        raise BadValue(f"given: expected a prefix for each label, found none for {unknown[0]!r}; add it")
    out[~missing] = [at[t] for t in known.tolist()]
    return classes, out


def _missing(labels: NDArray[Any], partial: bool) -> NDArray[np.bool_]:
    """Which documents have no label."""
    if labels.dtype == object:
        none = np.array([t is None for t in labels], dtype=bool)
        if not partial:
            if none.any():
                raise BadValue(
                    f"y: expected a label for each document, found None for {none.sum():,}; leave them out, or learn "
                    "from them: em=20"
                )
            return none
        return np.array([t is None or (type(t) is not str and t == UNLABELLED) for t in labels], dtype=bool)
    out = np.zeros(len(labels), dtype=bool)
    if partial and labels.dtype.kind == "i":
        out[labels == UNLABELLED] = True
    return out
