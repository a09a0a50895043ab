"""Log-probabilities are numbers of at most 0, or −∞; whatever is none is refused before anything is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.errors import Advice, NoLaw


def check_logs(logs: NDArray[np.floating[Any]], what: str = "log-probabilities") -> None:
    """`NoLaw` where an entry is nan or +∞; −∞ is the logarithm of nothing, and a number.

    Right: `check_logs(state_logp)` before a sum over it. Wrong: for a check that rows sum to 1, which `audit` makes.
    """
    # The largest entry says it all in one pass: nan passes on through a maximum.
    with np.errstate(invalid="ignore"):
        peak = float(np.max(logs, initial=-np.inf))
    if not peak < np.inf:
        raise no_law_error(what, peak)


def check_all_logs(parts: Sequence[NDArray[np.floating[Any]]], what: str) -> None:
    """As `check_logs`, of many short arrays."""
    with np.errstate(invalid="ignore"):
        total = sum((float(np.sum(a)) for a in parts), 0.0)
    if not total < np.inf:
        raise no_law_error(what, total)


def no_law_error(what: str, found: float) -> NoLaw:
    """The error of a model whose arithmetic gave no number."""
    return NoLaw(
        f"the model: expected {what} that are numbers, found {found}; its weights are damaged or its "
        "arithmetic overflows",
        [
            "get its files again",
            Advice("load it as float32 if it was loaded as bfloat16", "dtype='float32'", "--dtype float32"),
        ],
    )
