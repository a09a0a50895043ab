"""Checks that log-probabilities are numbers: finite, or −∞, but never nan or +∞."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.errors import Advice, NoLaw


def check_logs(logs: NDArray[np.floating[Any]], what: str = "log-probabilities") -> None:
    """Check that no logarithm is nan or +∞; −∞ is the logarithm of 0, and passes.

    Args:
        logs: Log-probabilities of any shape, nats.
        what: The name of the numbers in the message, in the plural.

    Raises:
        NoLaw: An entry is nan or +∞.
    """
    # A maximum over all entries is enough, since a nan among the entries makes the maximum nan.
    with np.errstate(invalid="ignore"):
        peak = float(np.max(logs, initial=-np.inf))
    if not peak < np.inf:
        raise not_numbers_error(what, peak)


def check_all_logs(parts: Sequence[NDArray[np.floating[Any]]], what: str) -> None:
    """Check many short arrays as `check_logs` checks one."""
    with np.errstate(invalid="ignore"):
        total = sum((float(np.sum(a)) for a in parts), 0.0)
    if not total < np.inf:
        raise not_numbers_error(what, total)


def not_numbers_error(what: str, found: float) -> NoLaw:
    """Return the error of a model whose arithmetic gave nan or +∞."""
    return NoLaw(
        f"the model: expected {what} that are numbers, got {found}; its weights are damaged or its "
        "arithmetic overflows",
        [
            "get its files again",
            Advice("load it as float32 if it was loaded as bfloat16", "dtype='float32'", "--dtype float32"),
        ],
    )
