"""The verdict of an audit, and the evidence that decided it."""

from __future__ import annotations

from collections.abc import Sequence

from pofx.lm.model import LM
from pofx.queries.audit.begin.finding import none_is_x0
from pofx.queries.audit.begin.openings import FEWEST
from pofx.queries.audit.leak import leak_note
from pofx.queries.audit.termination import LEAK, Survival
from pofx.queries.findings import (
    OPENING_MEASURES,
    BeginCandidate,
    BeginEvidence,
    Check,
    Finding,
    Measure,
    Verdict,
)

# The checks whose failure makes p improper, with any results of the other checks.
SUMS = (
    Check.ROWS,
    Check.FORWARD,
    Check.BATCH,
    Check.VALUES,
    Check.DRAWS,
    Check.OWN_SAMPLER,
    Check.STRINGS,
    Check.LEAK,
)


def judge(
    lm: LM,
    findings: Sequence[Finding],
    begin: BeginEvidence | None,
    alive: Survival | None,
    tried: Sequence[BeginCandidate] = (),
) -> tuple[Verdict, str]:
    """Reach the verdict from the findings.

    Args:
        lm: The model.
        findings: A finding for each check.
        begin: The evidence about x0; None without x0.
        alive: P(length > L); None without EOS.
        tried: The candidates for x0 of a pretrained model.

    Returns:
        The verdict, and a sentence with the evidence that decided it.
    """
    by = {f.check: f for f in findings}
    for check in SUMS:
        f = by.get(check)
        if f is not None and f.verdict == "fail":
            return (
                "improper",
                f"{check} fails: found {_number(f.value)} {f.unit}, allowed {_number(f.bound)}. {f.why}",
            )
    never = 0.0 if alive is None or alive.never is None else alive.never
    if LEAK < never < 1 - 1e-9:
        return (
            "improper",
            f"a text never ends with probability {never:.6g}, exactly, so p sums to {1 - never:.6g}.",
        )
    opening, ending = by[Check.BEGIN], by[Check.END]
    if begin is None:
        if tried:
            return "conditional", f"there is no x0. {none_is_x0(tried)}"
        return "conditional", "there is no x0, so p(x1) does not exist: only p(y|x) for an x that you name."
    if opening.verdict == "fail" or (
        opening.verdict == "warn" and begin.known == "assumed" and begin.n < FEWEST
    ):
        return "conditional", f"p(x1|{begin.text}) is not known to be trained: {opening.why}"
    if lm.vocab.end is None:
        return (
            "prefix-only",
            "there is no EOS, so no text is ever complete: only prefix probabilities P(x) exist.",
        )
    if ending.verdict == "fail" or never >= 1 - 1e-9:
        return "prefix-only", f"EOS was not learned: {ending.why}"
    unit = opening.unit if opening.unit in OPENING_MEASURES else Measure.BITS_OPENING
    parts = [
        f"x0 gains {_number(opening.value)} {unit} ({begin.known})"
        if opening.verdict == "pass"
        else f"x0 is {begin.known} (taken at its word)",
        f"EOS is {_number(ending.value)} bits likelier where texts end"
        if ending.verdict == "pass"
        else "EOS is there",
        f"next-token distributions sum to 1 up to {_number(by[Check.ROWS].value)}",
    ]
    return "joint", f"{parts[0]}, {parts[1]}, and {parts[2]}.{leak_note(lm, by[Check.LEAK])}"


def _number(x: float | None) -> str:
    return "nothing" if x is None else f"{x:.3g}"
