"""Texts and labels as scikit-learn reads them, and the number of each label's class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.classification.training import UNLABELLED
from pofx.errors import Advice, BadValue, require
from pofx.vocab.vocabulary import to_bytes


def places(y: Any, given: Mapping[Any, Any] | None, partial: bool) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the sorted classes, and the number of each label among the classes.

    Args:
        y: The labels.
        given: A mapping whose keys are the classes, whether or not they have documents; or None.
        partial: Whether None, NaN, and −1 among whole numbers stand for no label, as in scikit-learn's semi-supervised
            estimators. Otherwise None and NaN are refused.

    Returns:
        The classes, and the number of each label; −1 for no label.

    Raises:
        BadValue: There are no labels, a label has no prefix in `given`, or a label is missing.
    """
    require("sklearn", "classify", "reading labels")
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import assert_all_finite, column_or_1d

    if given is not None and not isinstance(given, Mapping):
        raise BadValue(
            f"expected a mapping from labels to prefixes, got {given!r}",
            'write {"label": "prefix", …}',
            argument="given",
        )
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
        raise BadValue(
            "expected documents with labels, got none", "label some documents of each class", argument="y"
        )
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
        raise BadValue(
            f"expected a prefix for each label, got none for {unknown[0]!r}",
            "add a prefix for this label",
            argument="given",
        )
    out[~missing] = [at[t] for t in known.tolist()]
    return classes, out


def as_texts(X: Any) -> list[str | bytes]:
    """Return X as a list of texts; `BadValue` where X is no list or column of texts."""
    if isinstance(X, str | bytes):
        raise BadValue("X: expected a list of texts, got one text", "write [text]")
    shape = getattr(X, "shape", None)
    if shape is not None and len(shape) != 1:
        raise BadValue(
            f"X: expected a list or one-dimensional array of texts, got an array of shape {list(shape)}",
            "for a column of a table write table['name']",
        )
    try:
        texts = X.tolist() if isinstance(X, np.ndarray) else list(X)
    except TypeError:
        raise BadValue(f"X: expected a list of texts, got {type(X).__name__}", "write [text, …]") from None
    for i, text in enumerate(texts):
        if not isinstance(text, str | bytes):
            raise BadValue(
                f"X: expected texts (str or bytes), got {type(text).__name__} as document {i}",
                "leave the document out, or convert it",
            )
    return texts


def byte_lengths(texts: Sequence[str | bytes]) -> NDArray[np.int64]:
    """Return the bytes of each text, `[n]`."""
    return np.array([len(to_bytes(t)) for t in texts], dtype=np.int64)


def _is_missing(labels: NDArray[Any], partial: bool) -> NDArray[np.bool_]:
    """Return whether each document has no label: None, NaN, pandas' NA, and with `partial` −1 among whole numbers."""
    if labels.dtype == object:
        none = np.array([_is_none(t) for t in labels], dtype=bool)
    elif labels.dtype.kind == "f":
        none = np.isnan(labels)
    else:
        none = np.zeros(len(labels), dtype=bool)
    if not partial:
        if none.any():
            raise BadValue(
                f"expected a label for each document, got None (or NaN) for {none.sum():,}",
                ["leave these documents out", Advice("learn from them", "em=20", "--em 20")],
                argument="y",
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
    """Return whether a label is None, pandas' NA (which has no truth value) or NaN (which differs from itself)."""
    return label is None or type(label).__name__ == "NAType" or bool(label != label)


def _unify_numbers(known: NDArray[Any]) -> NDArray[Any]:
    """Return labels as an array in which 1 and 1.0 are one label, for other labels of any type."""
    labels = known.tolist()
    if all(isinstance(t, float) for t in labels):
        return np.array(labels)
    return np.array([int(t) if isinstance(t, float) and t.is_integer() else t for t in labels])
