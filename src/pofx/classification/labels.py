"""Labels as scikit-learn reads them, and the places of their classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.classification.training import UNLABELLED
from pofx.errors import BadValue, require


def places(y: Any, given: Mapping[Any, Any] | None, partial: bool) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The sorted classes, and the place of each label among them, −1 for those without.

    given: its keys are the classes, whether or not they have documents. partial: None, NaN, or −1 among whole numbers,
    stands for no label, as in scikit-learn's semi-supervised estimators; else None and NaN are refused.
    """
    require("sklearn", "classify", "reading labels")
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import assert_all_finite, column_or_1d

    if y is None:
        raise BadValue("GenerativeClassifier requires y to be passed, but the target y is None", None)
    if isinstance(y, list | tuple):  # numpy would make NaN beside strings the string "nan"
        y = np.array(y, dtype=object)
    labels = column_or_1d(y, warn=True)
    missing = _is_missing(labels, partial)
    known = labels[~missing]
    if known.dtype == object:
        known = _unify_numbers(known)
    if not len(known) and given is None:
        raise BadValue("y: expected documents with labels, found none", "label some of each class")
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
        raise BadValue(f"given: expected a prefix for each label, found none for {unknown[0]!r}", "add it")
    out[~missing] = [at[t] for t in known.tolist()]
    return classes, out


def _is_missing(labels: NDArray[Any], partial: bool) -> NDArray[np.bool_]:
    """Which documents have no label: None, NaN, pandas' NA, and −1 among whole numbers where `partial` allows it."""
    if labels.dtype == object:
        none = np.array([_is_none(t) for t in labels], dtype=bool)
    elif labels.dtype.kind == "f":
        none = np.isnan(labels)
    else:
        none = np.zeros(len(labels), dtype=bool)
    if not partial:
        if none.any():
            raise BadValue(
                f"y: expected a label for each document, found None (or NaN) for {none.sum():,}",
                "leave them out, or learn from them: em=20",
            )
        return none
    if labels.dtype == object:
        none |= np.array(
            [type(t) is not str and not _is_none(t) and t == UNLABELLED for t in labels], dtype=bool
        )
    elif labels.dtype.kind in "if":
        none |= labels == UNLABELLED
    return none


def _is_none(label: object) -> bool:
    """Whether it stands for no label. NaN alone differs from itself; pandas' NA has no truth value to ask for."""
    return label is None or type(label).__name__ == "NAType" or bool(label != label)


def _unify_numbers(known: NDArray[Any]) -> NDArray[Any]:
    """Labels of Python as an array: 1 and 1.0 are one label, whatever stands beside them."""
    labels = known.tolist()
    if all(isinstance(t, float) for t in labels):
        return np.array(labels)
    return np.array([int(t) if isinstance(t, float) and t.is_integer() else t for t in labels])
