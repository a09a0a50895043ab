"""Checks of the numbers that a caller passes as arguments."""

from __future__ import annotations

import math
from numbers import Integral, Number, Real
from typing import Any

from pofx.errors import Advice, Argument, BadValue

MOST = 2**63 - 1  # the largest whole number that numpy and torch hold


def check_whole_number(
    name: str | Argument, value: Any, least: int = 0, most: int = MOST, advice: str | Advice = ""
) -> int:
    """Check that a value is a whole number n with least ≤ n ≤ most.

    An integer of numpy is a whole number; `True`, `2.0` and `"2"` are not.

    Args:
        name: The name of the argument, with which the message begins.
        value: The value that the caller passed.
        least: The smallest number that is allowed.
        most: The largest number that is allowed.
        advice: What the message tells the caller to do.

    Returns:
        The value as an `int`.

    Raises:
        BadValue: The value is no whole number, or is out of range.

    Right: `check_whole_number("order", order, 1, 16)`. Wrong: `int(order)`, which makes 2 of 2.9.
    """
    if why := why_not_whole(value, least, most):
        raise _bad(name, why, advice)
    return int(value)


def check_real_number(
    name: str | Argument,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    above: bool = False,
    below: bool = False,
    advice: str | Advice = "",
) -> float:
    """Check that a value is a finite number x with low ≤ x ≤ high.

    An integer is a number, and so is a number of numpy; NaN, infinities, `True` and `"1"` are not.

    Args:
        name: The name of the argument, with which the message begins.
        value: The value that the caller passed.
        low: The lower end of the range.
        high: The upper end of the range.
        above: Whether the lower end itself is excluded.
        below: Whether the upper end itself is excluded.
        advice: What the message tells the caller to do.

    Returns:
        The value as a `float`.

    Raises:
        BadValue: The value is no finite number, or is out of range.

    Right: `check_real_number("alpha", alpha, 0, above=True)`. Wrong: `not alpha <= 0`, which lets NaN and ∞ pass.
    """
    if why := why_not_real(value, low, high, above=above, below=below):
        raise _bad(name, why, advice)
    return float(value)


def check_weights(name: str, values: Any, n: int) -> list[float]:
    """Check that values are n weights: finite, at least 0, and not all 0; they need not sum to 1.

    Args:
        name: The name of the argument, with which the message begins.
        values: A sequence of numbers, or an array of numpy with one axis.
        n: How many weights there must be.

    Returns:
        The weights as a list of `float`.

    Raises:
        BadValue: The values are no such weights, or their sum overflows.

    Right: `check_weights("weights", [1, 3], 2)`. Wrong: `check_weights("weights", [0, 0], 2)`.
    """
    try:
        found = [] if isinstance(values, str | bytes) else list(values)
    except TypeError:
        found = []
    if (
        len(found) != n
        or any(why_not_real(x, 0, math.inf) for x in found)
        or not 0 < sum(map(float, found)) < math.inf
    ):
        raise BadValue(
            f"expected {n} finite numbers of at least 0 and not all zero, got {show_value(values)}",
            None,
            argument=name,
        )
    return [float(x) for x in found]


def check_bool(name: str, value: Any) -> bool:
    """Check that a value is `True` or `False`, and return it as a `bool`.

    Raises:
        BadValue: The value is anything else, such as "no", which Python would take for true.
    """
    found = value.item() if getattr(value, "ndim", None) == 0 else value
    if not isinstance(found, bool):
        raise BadValue(f"expected True or False, got {show_value(value)}", None, argument=name)
    return found


def check_ids(ids: Any, size: int) -> None:
    """Check that each token id of an array is one of the `size` ids of a vocabulary.

    Raises:
        IndexError: An id is negative, or `size` or more. Programs make ids, so a wrong id is no `BadValue`.
    """
    if ids.size and not 0 <= ids.min() <= ids.max() < size:
        raise IndexError(f"expected ids below {size}, got {ids.min()} … {ids.max()}")


def why_not_whole(value: Any, least: int, most: int) -> str | None:
    """Return the reason, for a message, why a value is no whole number from `least` to `most`; None for such a number."""
    if not isinstance(value, Integral) or isinstance(value, bool) or not least <= int(value) <= most:
        return f"expected {_whole_range(value, least, most)}, got {show_value(value)}"
    return None


def why_not_real(
    value: Any, low: float, high: float, *, above: bool = False, below: bool = False
) -> str | None:
    """Return the reason, for a message, why a value is no finite number in a range; None for such a number."""
    x = _float(value)
    if math.isfinite(x) and (x > low if above else x >= low) and (x < high if below else x <= high):
        return None
    if low == 0 and above and math.isinf(high):
        return f"expected a positive number that is finite, got {show_value(value)}"
    bounds = [] if math.isinf(low) else [f"{'above' if above else 'of at least'} {low:g}"]
    bounds += [] if math.isinf(high) else [f"{'below' if below else 'at most'} {high:g}"]
    return f"expected a finite number{' ' if bounds else ''}{' and '.join(bounds)}, got {show_value(value)}"


def show_value(value: Any) -> str:
    """Write a value as a message shows it, in at most 60 characters; a numpy scalar as a plain number."""
    if isinstance(value, Number) and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, int) and value.bit_length() > 180:
        return "a number of more than 50 digits"  # Python refuses to write out a number of more than 4,300 digits
    return f"{value!r:.60}"


def _whole_range(value: Any, least: int, most: int) -> str:
    if most < MOST:
        return f"a whole number from {least} to {most:,}"
    if isinstance(value, Integral) and int(value) > most:
        return "a whole number below 2^63"
    return f"a whole number of at least {least}"


def _float(value: Any) -> float:
    """Return the value as a float; NaN, which no range contains, for a value that is no number."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _bad(name: str | Argument, why: str, advice: str | Advice) -> BadValue:
    return BadValue(why, advice or None, name)
