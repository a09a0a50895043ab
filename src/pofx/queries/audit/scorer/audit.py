"""The audit of a scorer: whether its numbers can be the numbers of a distribution over strings."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pofx.errors import NoLaw
from pofx.lm.scorer import Scorer
from pofx.queries.audit.own_sampler import scorer_sampler_finding
from pofx.queries.audit.scorer.fresh import fresh_finding
from pofx.queries.audit.scorer.numbers import read_numbers
from pofx.queries.audit.scorer.steadiness import causal_finding, repeats_finding
from pofx.queries.audit.scorer.sums import next_sums_finding, string_sums_finding
from pofx.queries.audit.scorer.trial import Trial, make_trial
from pofx.queries.audit.scorer.units import units_finding
from pofx.queries.findings import Audit, Check, Finding, Measure


def audit_scorer(scorer: Scorer, texts: Sequence[str | bytes] | None, seed: int) -> Audit:
    """Check whether the numbers of a scorer can be numbers of a distribution: a `Finding` for each check, and a verdict.

    Args:
        scorer: The scorer.
        texts: Whole documents; None for the built-in documents.
        seed: Seed of the order of documents and of the random texts.

    Returns:
        The verdict "scores-only" where no check failed, else "improper".
    """
    trial = make_trial(scorer, texts, seed)
    try:
        findings = _findings(scorer, trial, seed)
    except NoLaw as e:
        why = f"A number is none, so nothing can be made of it: {e.subject}."
        findings = (Finding(Check.NEXT_SUMS, "fail", math.inf, 1.0, Measure.PROBABILITY, why),)
    failed = next((f for f in findings if f.verdict == "fail"), None)
    if failed is not None:
        return Audit(
            "improper", f"{failed.check} fails. {failed.why}", None, findings, len(trial.heads), seed
        )
    reason = (
        f"no check of {scorer.name} failed on {trial.note}, but no next-token distribution was seen: that numbers "
        "sum to at most 1 is known only where they were summed."
    )
    return Audit("scores-only", reason, None, findings, len(trial.heads), seed)


def _findings(scorer: Scorer, trial: Trial, seed: int) -> tuple[Finding, ...]:
    # The heads must be scored first, before a scorer can learn from the texts of other checks.
    heads = read_numbers(scorer, trial.heads, together=1)
    fresh, gain = fresh_finding(scorer, trial)
    findings = (
        next_sums_finding(scorer, trial),
        string_sums_finding(scorer, trial),
        fresh,
        causal_finding(scorer, trial, seed),
        units_finding(scorer, trial, heads, gain),
        repeats_finding(scorer, trial, heads),
        scorer_sampler_finding(scorer, trial.heads, seed),
    )
    return tuple(f for f in findings if f is not None)
