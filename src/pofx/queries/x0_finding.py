"""What the candidates for x0 of a pretrained model come to: the check of p(x1|x0), and the evidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pofx.lm import Begin
from pofx.queries.candidates import ADOPTED
from pofx.queries.findings import BeginEvidence, Candidate, Finding, Series
from pofx.queries.openings import CHECK


def x0_finding(tried: Sequence[Candidate], begin: Begin) -> tuple[Finding, BeginEvidence | None]:
    """The check of p(x1|x0) for a pretrained model, from what its candidates showed.

    An x0 that its files put before every text, or that was audited before, is not convicted by openings alone: the
    documents may be of another kind than it was trained on.
    """
    chart = Series(
        "the first token of a document, behind", "bits", "bars",
        (*((c.name, c.first_bits) for c in tried if c.top and c.role != "twice"), ("uniform law", tried[0].uniform_bits)),
    )  # fmt: skip
    row = next((c for c in tried if c.current), None)
    if row is None:
        return Finding(
            CHECK, "fail", None, None, "bits", f"There is no x0. {_none_is_x0(tried)}", chart
        ), None
    outcome, why = row.verdict, row.why
    if outcome == "fail" and row.unit.startswith("bits a first") and begin.known in ("declared", "trained"):
        outcome = "warn"
        why += f" But {row.name} is {begin.known}, and these documents may be of another kind: take some of its own."
    value, bound = (None if np.isnan(x) else x for x in (row.value, row.bound))
    twice = next((c for c in tried if c.role == "twice"), None)
    again = (
        ""
        if twice is None
        else (
            f" A second {row.name} would change the rest by {twice.rest_bits - row.rest_bits:+.2f} bits a token."
        )
    )
    evidence = BeginEvidence(
        row.name, begin.known, row.first_bits, row.uniform_bits, row.average_bits, float("nan"), row.n, row.id
    )
    return Finding(
        CHECK, outcome, value, bound, row.unit, f"Behind {row.name} ({begin.known}) {why}{again}", chart
    ), evidence


def _none_is_x0(tried: Sequence[Candidate]) -> str:
    """Why no candidate was adopted: the declared BOS, and the one behind which openings cost least."""
    by = [c for c in tried if c.role in ADOPTED]
    if not by:
        return "Nothing in the vocabulary may stand for it."
    told = list(
        dict.fromkeys([min(by, key=lambda c: ADOPTED.index(c.role)), min(by, key=lambda c: c.first_bits)])
    )
    said = (f"Behind {c.name}{' (declared as BOS)' if c.role == 'bos' else ''}: {c.why}" for c in told)
    return " ".join(["Nothing that may stand for it was trained to.", *said])
