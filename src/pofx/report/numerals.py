"""The notations of numbers in a report. Units stand in headings, never beside a number."""

from __future__ import annotations

import math

INFINITY = "∞"


def fixed_point(x: float | None, digits: int = 3) -> str:
    """Return a number with a fixed count of decimals, so that the columns of log-probabilities align.

    Args:
        x: The number; None becomes "".
        digits: The count of decimals.
    """
    if x is None:
        return ""
    if not math.isfinite(x):
        return _odd(x)
    shown = f"{x:.{digits}f}"
    # A log-probability of zero is 0.000, not -0.000.
    return shown[1:] if shown.startswith("-") and not shown.strip("-0.") else shown


def to_number(shown: str) -> float:
    """Return the number that `fixed_point` has written."""
    return float(shown.replace(INFINITY, "inf"))


def significant_digits(x: float | None, digits: int = 3) -> str:
    """Return a number with a count of significant digits: 0.0123, 41.2, 1,230, 1.2e-7.

    Args:
        x: The number, which may be ∞ or nan; None becomes "".
        digits: The count of significant digits.
    """
    if x is None:
        return ""
    if not math.isfinite(x):
        return _odd(x)
    if x == 0:
        return "0"
    if not 1e-4 <= abs(x) < 1e9:
        mantissa, _, exponent = f"{x:.{digits - 1}e}".partition("e")
        return f"{mantissa}e{int(exponent)}"
    # Round first: 9.996 has one digit before the point, 10.0 has two.
    rounded = float(f"{x:.{digits - 1}e}")
    if abs(rounded) >= 10 ** (digits - 1):
        return f"{rounded:,.0f}"
    return f"{rounded:.{digits - 1 - math.floor(math.log10(abs(rounded)))}f}"


def trim_zeros(x: float | None) -> str:
    """Return a chosen number, such as a bound, with three significant digits and no zeros at the end: 0.001, 1e-9."""
    mantissa, mark, exponent = significant_digits(x).partition("e")
    return (mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa) + mark + exponent


def typeset(number: str) -> str:
    """Return a number with a true minus sign, for a page. A terminal keeps the hyphen, since programs read it."""
    return number.replace("-", "−")


def probability(logp: float) -> str:
    """Return the probability p = exp(log p) with 3 significant digits.

    Below 1e-300, where floats end, the digits come from the logarithm.

    Args:
        logp: log p, nats.
    """
    if logp == -math.inf:
        return "0"
    if logp > -690:
        return significant_digits(math.exp(logp))
    exponent = math.floor(logp / math.log(10))
    mantissa = round(math.exp(logp - exponent * math.log(10)), 2)
    return f"1.00e{exponent + 1}" if mantissa >= 10 else f"{mantissa:.2f}e{exponent}"


def with_commas(n: int) -> str:
    """Return a count with a comma at each thousand."""
    return f"{n:,}"


def _odd(x: float) -> str:
    if math.isnan(x):
        return "nan"
    return INFINITY if x > 0 else f"-{INFINITY}"
