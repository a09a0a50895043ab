"""L(θ) of a corpus with an interval that accounts for clusters, and the effective number of documents."""

from __future__ import annotations

import numpy as np

from pofx.algorithms.statistics.clusters import (
    Floats,
    Labels,
    bootstrap_mean,
    design_effect,
    intraclass_correlation,
)
from pofx.algorithms.statistics.permutation import p_value
from pofx.queries.corpus_audit.record import Loss
from pofx.queries.findings import Check, CheckVerdict, Finding, Measure
from pofx.units import count_noun

LEVEL = 0.95
DRAWS = 2000
SHUFFLES = 199
# The noun for a cluster, in the singular and the plural.
ClusterNoun = tuple[str, str]
# The p-value above which ρ may be 0, so that the check does not fail.
UNSURE = 0.01
# The fewest clusters: fewer clusters tell little about a further cluster.
FEWEST = 8
# The least share of effective documents among all documents to pass, and to warn.
ENOUGH, HALF = 0.9, 0.5


def estimate_loss(
    minus_log_p: Floats, clusters: Labels, all_clusters: Labels, copies: bool, model: str, seed: int
) -> Loss:
    """Estimate L(θ), the mean of −log p(xⁿ), nats a document.

    Args:
        minus_log_p: −log p of each scored document, nats.
        clusters: The cluster of each scored document.
        all_clusters: The cluster of every document.
        copies: Whether clusters are groups of near-duplicates, so that ρ = 1; else ρ is estimated.
        model: The name of the model.
        seed: Seed of bootstrap and permutations.

    Returns:
        The loss, its interval, and the design effect.
    """
    finite = bool(np.isfinite(minus_log_p).all())
    value = float(minus_log_p.mean())
    low, high = (
        bootstrap_mean(minus_log_p, clusters, LEVEL, DRAWS, np.random.default_rng(seed))
        if finite
        else (value, value)
    )
    rho, p = (1.0, 0.0) if copies else _rho(minus_log_p, clusters, seed) if finite else (0.0, 1.0)
    k = len(np.unique(clusters))
    effect = design_effect(all_clusters, rho)
    return Loss(value, low, high, LEVEL, len(minus_log_p), k, rho, p, effect, model)


def _rho(values: Floats, labels: Labels, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    found = intraclass_correlation(values, labels)
    null = np.array([intraclass_correlation(rng.permutation(values), labels) for _ in range(SHUFFLES)])
    return found, p_value(found, null)


def effective_finding(loss: Loss, documents: int, what: ClusterNoun, groups: int) -> tuple[Finding, float]:
    """Check n / DEFF with DEFF = 1 + (m − 1) ρ, the number of independent documents with the same error of a mean."""
    effective = documents / loss.design_effect
    share = effective / documents
    unsure = loss.rho_p > UNSURE
    alone = groups == 1 < documents and loss.rho_p > 0
    outcome: CheckVerdict = "pass" if share >= ENOUGH else "warn" if share >= HALF or unsure else "fail"
    outcome = "warn" if alone else outcome
    known = (
        "copies say nothing new, ρ = 1"
        if loss.rho_p == 0
        else f"log p correlates within one by ρ = {loss.rho:.2f} (p = {loss.rho_p:.2g})"
    )
    why = (
        f"{count_noun(documents, 'document')} in {count_noun(groups, *what)}; {known}, so the design effect 1 + (m − 1) ρ "
        f"is {loss.design_effect:.2f}: "
    )
    if alone:
        why += "but a single group does not show ρ."
    elif outcome == "pass":
        why += "as good as independent."
    elif unsure:
        why += f"but from {count_noun(loss.n, 'scored document')} that ρ cannot be distinguished from 0."
    else:
        why += f"error bars that take them for independent are too small by a factor of {loss.design_effect**0.5:.1f}."
    return (
        Finding(Check.EFFECTIVE_NUMBER, outcome, effective, ENOUGH * documents, Measure.DOCUMENTS, why),
        effective,
    )


def loss_finding(loss: Loss, what: ClusterNoun, held_out: bool, seen: str = "") -> Finding:
    """Report L(θ) with its interval; `seen` says which scored documents the model has seen."""
    of = f"{count_noun(loss.n, 'held-out document' if held_out else 'document')} in {count_noun(loss.clusters, *what)}"
    if not np.isfinite(loss.value):
        return Finding(
            Check.LOSS,
            "fail",
            loss.value,
            None,
            Measure.NATS_DOCUMENT,
            f"Some of {of} have probability 0 under {loss.model}: no mean of log p exists.",
        )
    why = (
        f"−(1/N) Σ log p(xⁿ), EOS counted, over {of}, under {loss.model}: {loss.value:.2f}, "
        f"{loss.level:.0%} interval {loss.low:.2f} to {loss.high:.2f} (bootstrap of whole clusters)."
    )
    few = loss.clusters < FEWEST
    why += " So few clusters say little of the next one; the interval is too short." if few else ""
    why += f" {seen}." if seen else ""
    return Finding(
        Check.LOSS, "warn" if few or seen else "pass", loss.value, None, Measure.NATS_DOCUMENT, why
    )
