"""Terms as they are shown beside their sum: the shown terms add up to the shown sum, to the last digit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pofx.report.numerals import fixed_point


def addends(terms: Sequence[float], total: float, digits: int = 3) -> list[str]:
    """Return terms with a fixed count of decimals, such that the shown terms add up to the shown total.

    A term may differ from its own rounding by one unit of the last digit: the term that was rounded the furthest. Terms
    that are not finite, or do not make the total, keep their own roundings.

    Args:
        terms: The terms of the sum.
        total: The sum.
        digits: The count of decimals.
    """
    unit = 10**digits
    if not all(map(math.isfinite, (*terms, total))):
        return [fixed_point(x, digits) for x in terms]
    whole = [_rounded(x, digits) for x in terms]
    off = _rounded(total, digits) - sum(whole)
    # A total that was itself changed by a unit, to fit sums of its own, is still a total of these terms.
    if abs(off) > len(terms) + 1:
        return [fixed_point(x, digits) for x in terms]
    step = 1 if off > 0 else -1
    furthest = sorted(range(len(terms)), key=lambda k: step * (whole[k] - terms[k] * unit))
    for n in range(abs(off) if terms else 0):
        whole[furthest[n % len(terms)]] += step
    return [fixed_point(n / unit, digits) for n in whole]


def steps(terms: Sequence[float], total: float, digits: int = 3) -> tuple[list[str], list[str]]:
    """Return terms with a fixed count of decimals, and the sum up to each term.

    Every shown term and every shown sum lies within one unit of the last digit of the true number. The sums are those of the
    shown terms, and the last sum is the shown total.

    Args:
        terms: The terms of the sum.
        total: The sum of all terms.
        digits: The count of decimals.
    """
    unit = 10**digits
    running = np.cumsum(terms).tolist()
    infinite = next((k for k, x in enumerate(running) if not math.isfinite(x)), len(terms))
    if infinite < len(terms):
        shown, sums = steps(terms[:infinite], running[infinite - 1] if infinite else 0.0, digits)
        after = [fixed_point(x, digits) for x in terms[infinite:]]
        return shown + after, sums + [fixed_point(x, digits) for x in running[infinite:]]
    if terms and abs(total - running[-1]) * unit >= 0.5:
        return [fixed_point(x, digits) for x in terms], [fixed_point(x, digits) for x in running]
    whole = [math.floor(x * unit + 0.5) for x in terms]
    cumulated = [0] * len(terms)
    # From the last sum back: each sum is the next one without its term. A term is changed where a sum would go astray.
    above = _rounded(total, digits)
    for k in range(len(terms) - 1, -1, -1):
        cumulated[k] = above
        off = above - whole[k] - (running[k - 1] * unit if k else 0.0)
        if k == 0:
            whole[0] = above
        elif abs(off) >= 1:
            whole[k] += 1 if off > 0 else -1
        above -= whole[k]
    return [fixed_point(n / unit, digits) for n in whole], [fixed_point(n / unit, digits) for n in cumulated]


def _rounded(x: float, digits: int) -> int:
    """Return a number as it is shown, in units of its last digit."""
    unit: int = 10**digits
    return round(float(fixed_point(x, digits)) * unit)
