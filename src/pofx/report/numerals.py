"""How numbers are written in a report. Units stand in headings, never here."""

from __future__ import annotations

import math

INFINITY = "∞"


def fixed_point(x: float | None, digits: int = 3) -> str:
    """`x` with so many decimals, "∞", "-∞" or "nan"; "" for None. Log-probabilities: columns must align."""
    if x is None:
        return ""
    if not math.isfinite(x):
        return _odd(x)
    shown = f"{x:.{digits}f}"
    # A log-probability of zero is 0.000, not -0.000.
    return shown[1:] if shown.startswith("-") and not shown.strip("-0.") else shown


def significant_digits(x: float | None, digits: int = 3) -> str:
    """`x` to so many significant digits: 0.0123, 41.2, 1,230, 1.2e-7; inf and nan safe; "" for None."""
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
    """`significant_digits` without idle zeros: 0.001, 1e-9. For what was chosen, not measured, such as a bound."""
    mantissa, mark, exponent = significant_digits(x).partition("e")
    return (mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa) + mark + exponent


def typeset(number: str) -> str:
    """The number with a true minus sign, for a page. A terminal keeps the hyphen, for programs."""
    return number.replace("-", "−")


def probability(logp: float) -> str:
    """`exp(logp)` to 3 significant digits. Below 1e-300, where floats end, from the logarithm."""
    if logp == -math.inf:
        return "0"
    if logp > -690:
        return significant_digits(math.exp(logp))
    exponent = math.floor(logp / math.log(10))
    mantissa = round(math.exp(logp - exponent * math.log(10)), 2)
    return f"1.00e{exponent + 1}" if mantissa >= 10 else f"{mantissa:.2f}e{exponent}"


def with_commas(n: int) -> str:
    """A count with thousands marked."""
    return f"{n:,}"


def _odd(x: float) -> str:
    if math.isnan(x):
        return "nan"
    return INFINITY if x > 0 else f"-{INFINITY}"
