"""The candidates for x0 and EOS of a pretrained model as rows of tables, for terminal and page."""

from __future__ import annotations

import math
from typing import Final

from pofx.queries.findings import Audit, BeginCandidate, EndCandidate
from pofx.report.numerals import fixed_point, significant_digits
from pofx.report.verdicts import SYMBOL

HEADINGS: Final = ("", "x0", "role", "token 1", "byte 1", "anyway", "rest", "entropy")
END_HEADINGS: Final = ("", "EOS", "where documents end", "elsewhere", "gain", "sum")


def candidate_row(c: BeginCandidate) -> tuple[str, ...]:
    """Return the cells of a candidate for x0, under `HEADINGS`."""
    return (
        f"{SYMBOL[c.verdict]} {c.verdict}",
        c.name + (" ←" if c.current else ""),
        c.role,
        _number(c.first_bits, 2),
        _number(c.byte_bits, 2),
        "" if math.isnan(c.same) else f"{100 * c.same:.0f} %",
        _number(c.rest_bits, 2),
        _number(c.entropy_bits, 2),
    )


def candidate_note(c: BeginCandidate) -> str:
    """Return the likeliest first tokens after a candidate, with their probabilities."""
    return " · ".join(f"{token} {significant_digits(p, 2)}" for token, p in c.top)


def ending_row(e: EndCandidate) -> tuple[str, ...]:
    """Return the cells of a candidate for EOS, under `END_HEADINGS`."""
    return (
        "EOS" if e.current else "",
        e.name,
        _number(e.at_end, 1),
        _number(e.elsewhere, 1),
        f"{_number(e.gain, 1)} ± {_number(e.se, 1)}",
        significant_digits(e.sum, 2),
    )


def candidates_note(audit: Audit) -> str:
    """Return the note that explains the columns of `HEADINGS`."""
    c = audit.candidates[0]
    return (
        f"Bits, less is better. The first token and first byte of {c.n:,} documents: chance is {c.uniform_bits:.2f} and "
        f"{c.uniform_byte_bits:.2f}. Anyway: the share of p(x1|x0) that the model also says after any other token. "
        "Rest: a further token of a document's head. Below each: its likeliest first tokens."
    )


END_NOTE: Final = (
    "log2 p of each control token; one that ends texts is likelier where documents end. Sum: of p over a document's "
    "positions, 1 where a model is calibrated."
)


def _number(x: float, digits: int) -> str:
    return "" if math.isnan(x) else fixed_point(x, digits)
