"""The words and symbols of an audit, so that no verdict is shown by a colour alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from pofx.queries.findings import Audit, BeginEvidence, CheckVerdict, Finding, Verdict
from pofx.report.numerals import significant_digits
from pofx.units import count_noun

SYMBOL: Final[dict[CheckVerdict, str]] = {"pass": "✓", "warn": "!", "fail": "✗"}
AUDIT_SYMBOL: Final[dict[Verdict, str]] = {
    "joint": "✓",
    "conditional": "!",
    "prefix-only": "!",
    "improper": "✗",
    "scores-only": "!",
}
GLOSS: Final[dict[Verdict, str]] = {
    "joint": "x0 is trained, EOS ends texts, p sums to 1",
    "conditional": "only p(y|x), for an x you name",
    "prefix-only": "x0 but no EOS: prefix probabilities only",
    "improper": "something does not sum to 1",
    "scores-only": "no fault found in the numbers, but no whole distribution was seen",
}

CORPUS_GLOSS: Final[dict[CheckVerdict, str]] = {
    "pass": "nothing speaks against independent draws of one p, from x0 to EOS",
    "warn": "mostly independent draws of one p; see the warnings",
    "fail": "not independent draws of one p, from x0 to EOS",
}


def begin_evidence(begin: BeginEvidence) -> str:
    """Return the evidence that the model knows how texts begin, as one sentence; bits per first token, less is better."""
    gain = begin.average_bits - begin.bits
    name = f"x0 {begin.text} ({begin.known})" if begin.known != "none" else "no x0"
    few = f"; {count_noun(begin.n, 'document')}"
    if math.isnan(gain):  # no document could be read, or no document has a second position
        return f"{name}: no first token to measure what is known of how texts begin{few}"
    error = "" if math.isnan(begin.se) else f" ± {significant_digits(begin.se, 2)}"
    return (
        f"{name}: {significant_digits(begin.bits)} bits per first token, against {significant_digits(begin.average_bits)} "
        f"without knowing where texts begin (gain {significant_digits(gain)}{error}) and "
        f"{significant_digits(begin.uniform_bits)} for the uniform distribution{few}"
    )


def tally(audit: Audit) -> str:
    """Return the counts of outcomes of an audit: `5 pass, 1 warn, 0 fail`."""
    return outcomes(audit.findings)


def outcomes(findings: Sequence[Finding]) -> str:
    """Return the counts of outcomes of findings: `5 pass, 1 warn, 0 fail`."""
    words: tuple[CheckVerdict, ...] = ("pass", "warn", "fail")
    return ", ".join(f"{sum(f.verdict == w for f in findings)} {w}" for w in words)
