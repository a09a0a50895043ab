"""The check of p(x1|x0) of a pretrained model, and its evidence, from the candidates for x0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pofx.lm.begin import Begin
from pofx.queries.audit.begin.judgement import ADOPTED
from pofx.queries.findings import (
    OPENING_MEASURES,
    BeginCandidate,
    BeginEvidence,
    Check,
    Finding,
    Measure,
    Series,
)


def x0_finding(tried: Sequence[BeginCandidate], begin: Begin) -> tuple[Finding, BeginEvidence | None]:
    """Check p(x1|x0) of a pretrained model by its candidates for x0.

    Openings alone do not fail an x0 that the model's files declare, or that was audited before, since the training texts
    may be of another kind than these documents.

    Args:
        tried: The candidates.
        begin: The x0 that the model is audited with, or none.

    Returns:
        The finding, and the evidence; None without x0.
    """
    chart = Series(
        "the first token of a document, after", "bits", "bars",
        (
            *((c.name, c.first_bits) for c in tried if c.top and c.role != "twice"),
            ("uniform distribution", tried[0].uniform_bits),
        ),
    )  # fmt: skip
    row = next((c for c in tried if c.current), None)
    if row is None:
        return Finding(
            Check.BEGIN, "fail", None, None, Measure.BITS, f"There is no x0. {none_is_x0(tried)}", chart
        ), None
    outcome, why = row.verdict, _sentence(row.why)
    if outcome == "fail" and row.unit in OPENING_MEASURES and begin.known in ("declared", "trained"):
        outcome = "warn"
        why += (
            f" But {row.name} is {begin.known}, and these documents may be of another kind: audit the model with documents "
            "of its own kind."
        )
    twice = next((c for c in tried if c.role == "twice"), None)
    if twice is not None:
        more = twice.rest_bits - row.rest_bits
        why += f" A second {row.name} would change the rest by {more:+.2f} bits a token."
    evidence = BeginEvidence(
        row.name,
        begin.known,
        row.first_bits,
        row.uniform_bits,
        row.average_bits,
        row.average_se,
        row.n,
        row.id,
    )
    value, bound = (None if np.isnan(x) else x for x in (row.value, row.bound))
    return Finding(Check.BEGIN, outcome, value, bound, row.unit, why, chart), evidence


def none_is_x0(tried: Sequence[BeginCandidate]) -> str:
    """Say why no candidate was adopted: the declared BOS, and the candidate that predicts openings best."""
    by = [c for c in tried if c.role in ADOPTED]
    if not by:
        return "The vocabulary has no candidate for x0."
    named = {
        c.name: c for c in (min(by, key=lambda c: ADOPTED.index(c.role)), min(by, key=lambda c: c.first_bits))
    }
    said = (f"The declared BOS: {c.why}" if c.role == "bos" else _sentence(c.why) for c in named.values())
    return " ".join(["No candidate for x0 was trained as x0.", *said])


def _sentence(why: str) -> str:
    return why[0].upper() + why[1:]
