"""The columns of a table that predict reading times, and the numbers that they hold."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.errors import Argument, BadValue
from pofx.stimuli.stimulus_fields import check_column
from pofx.stimuli.stimulus_texts import Row

# What tables have in place of a number that is missing, in lower case.
_MISSING = frozenset(("", "na", "nan", "null", "none", "."))
_BASELINE = re.compile(r"index|(previous_\d+_)?(length|log_frequency)")


def find_surprisals(
    names: Sequence[str], own: Mapping[str, Sequence[str]] | None
) -> dict[str, tuple[str, ...]]:
    """Return the predictors of each model by its name: those of the caller, or the columns that `measure_stimuli` made.

    Args:
        names: The names of all columns.
        own: The predictors that the caller names; None to find them.

    Raises:
        BadValue: A column is missing, or there is no column of surprisals.
    """
    if own is None:
        ends = "surprisal_nats"
        leads = [
            n.removesuffix(ends) for n in names if n.endswith(ends) and not re.search(r"previous_\d+_surp", n)
        ]
        before = re.compile(r"previous_\d+_surprisal_nats")
        found = {
            lead.removesuffix("_"): (
                lead + ends,
                *(n for n in names if n.startswith(lead) and before.fullmatch(n.removeprefix(lead))),
            )
            for lead in leads
        }
    else:
        found = {name: tuple(columns) for name, columns in own.items()}
    if not found or not all(found.values()):
        raise BadValue(
            "expected columns of surprisals, got none",
            "measure the surprisals first (pofx stimuli), or name columns",
            argument=Argument("surprisals", "--surprisal"),
        )
    for columns in found.values():
        for column in columns:
            check_column(names, column, "surprisals", "--surprisal")
    return found


def find_baseline(names: Sequence[str], own: Sequence[str] | None) -> tuple[str, ...]:
    """Return the predictors of the baseline: those of the caller, or place, length and frequency of the words.

    Args:
        names: The names of all columns.
        own: The predictors that the caller names; None to find them.

    Raises:
        BadValue: A column is missing.
    """
    if own is None:
        return tuple(n for n in names if _BASELINE.fullmatch(n))
    if isinstance(own, str):
        raise BadValue(f"expected a list of columns, got {own!r:.60}", "write a list", argument="baseline")
    for column in own:
        check_column(names, column, "baseline")
    return tuple(own)


def numbers_of(rows: Sequence[Row], name: str) -> NDArray[np.float64]:
    """Return the numbers of a column, `[n]`; nan where a number is missing.

    Raises:
        BadValue: A cell is neither a number nor missing.
    """
    return np.array([_number(row.get(name), name, k) for k, row in enumerate(rows)], dtype=np.float64)


def _number(cell: Any, name: str, row: int) -> float:
    if cell is None or (isinstance(cell, str) and cell.strip().lower() in _MISSING):
        return math.nan
    try:
        return float(cell)
    except (TypeError, ValueError):
        raise BadValue(
            f"expected a number in column {name!r:.40} of row {row + 1:,}, got {cell!r:.40}",
            "name a column of numbers",
            argument="table",
        ) from None
