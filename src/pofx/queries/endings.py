"""Whether EOS stands where texts end, what leaks to other control tokens, and what is impossible."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pofx.lm import LM
from pofx.queries.findings import Finding, Outcome, Series
from pofx.queries.openings import FEWEST, MATERIAL, SAME
from pofx.queries.survey import Survey, batches
from pofx.trace import Ints, Want
from pofx.units import bits

# log2 p(EOS) below this counts as this: a maximum-likelihood model says −∞ elsewhere, and means stay finite.
FLOOR = -64.0
LEAK, LEAK_FAIL = 1e-6, 1e-3


def end_findings(lm: LM, paths: Sequence[Ints], free: int, average: Survey | None) -> list[Finding]:
    """p(EOS) at true ends of documents against elsewhere, and whether the documents are possible at all.

    paths: whole documents without EOS. Pass if log2 p(EOS) at the end of a document exceeds that of its other
    positions by more than 2 standard errors (and 0.1 bit), document by document.

    Right: on whole documents. Wrong: on chunks of a fixed length, which end where no text ends.
    """
    end = lm.vocab.end
    if end is None:
        why = (
            "There is no EOS, so no text is ever complete: prefix probabilities P(x) exist, log p(x) of a "
            "complete text does not. Fit with end=True, or ask for prefix_log_prob."
        )
        return [Finding("EOS ends texts", "fail", None, None, "bits", why), *_possible(lm, paths, free)]
    at_end: list[float] = []
    elsewhere: list[float] = []
    possible: list[float] = []
    for batch in batches(lm, paths):
        whole = [np.append(p, end) for p in batch]
        trace = lm.forward(whole, Want(end=True), free)
        assert trace.end is not None  # noqa: S101  (ours: it was asked for)
        for logp, ends in zip(trace.logp, trace.end):
            possible.append(float(logp.sum()))
            if len(ends) > 1:
                floored = np.array([bits(float(e)) for e in np.maximum(ends, -1e3)]).clip(min=FLOOR)
                at_end.append(float(floored[-1]))
                elsewhere.append(float(floored[:-1].mean()))
    return [_learned(np.array(at_end), np.array(elsewhere), average), _impossible(possible)]


def _learned(at_end: NDArray[np.float64], elsewhere: NDArray[np.float64], average: Survey | None) -> Finding:
    check, n = "EOS ends texts", len(at_end)
    if n < FEWEST:
        why = f"Too few whole documents ({n}, at least {FEWEST} needed) to see whether EOS stands where texts end."
        return Finding(check, "warn", None, None, "bits", why)
    gain = at_end - elsewhere
    mean, se = float(gain.mean()), float(gain.std(ddof=1) / np.sqrt(n))
    bound = max(2 * se, MATERIAL)
    chart = Series(
        "log2 p(EOS)", "bits", "bars",
        (("where documents end", float(at_end.mean())), ("elsewhere", float(elsewhere.mean()))),
    )  # fmt: skip
    why = (
        f"EOS is {mean:.2f} ± {se:.2f} bits likelier where {n} documents end (mean log2 p(EOS) = "
        f"{at_end.mean():.2f}) than elsewhere in them ({elsewhere.mean():.2f})"
    )
    outcome: Outcome = "pass" if mean > bound else "fail"
    if outcome == "fail" and average is not None and average.rows > 1 and average.spread < SAME:
        # One law for all positions: EOS cannot be anywhere likelier, and lengths are geometric, which is
        # proper.
        outcome, why = "warn", f"{why}; its law never changes, so it ends texts by the same coin everywhere"
    elif outcome == "fail":
        why += "; a model that was never shown ends of texts has no last factor, and its log p(x) no meaning"
    if elsewhere.min() <= FLOOR or at_end.min() <= FLOOR:
        why += f" (p(EOS) below 2^{FLOOR:.0f}, 0 included, counts as that)"
    return Finding(check, outcome, mean, bound, "bits", f"{why}.", chart)


def _possible(lm: LM, paths: Sequence[Ints], free: int) -> list[Finding]:
    totals = [float(t.sum()) for b in batches(lm, paths) for t in lm.forward(b, skip=free).logp]
    return [_impossible(totals)]


def _impossible(totals: Sequence[float]) -> Finding:
    n = len(totals)
    bad = sum(not np.isfinite(t) for t in totals)
    share = bad / n if n else 0.0
    why = f"{bad} of {n} documents have probability 0: log p is −inf, in means of bits too. " + (
        "A smoothed model gives every text something." if bad else "Every one of them can be scored."
    )
    return Finding("documents are possible", "warn" if bad else "pass", share, 0.0, "share", why)


def leak_finding(lm: LM, average: Survey | None) -> Finding:
    """Mass on ids that spell no text, a token: pass below 1e-6, fail above 1e-3."""
    check = "leak"
    control = [i for i, b in enumerate(lm.vocab.token_bytes) if b is None and i != lm.vocab.end]
    if not control:
        why = "Every outcome is EOS or spells text, so no mass can leak to control tokens."
        return Finding(check, "pass", 0.0, LEAK, "probability", why)
    if average is None or not average.rows:
        why = "No position of any text could be read, so the mass on control tokens is unknown."
        return Finding(check, "warn", None, LEAK, "probability", why)
    leak = average.leak
    outcome: Outcome = "pass" if leak <= LEAK else "warn" if leak <= LEAK_FAIL else "fail"
    why = (
        f"A token puts {leak:.2g} of its mass on {len(control)} control tokens that spell no text (averaged "
        f"over {average.rows:,} positions): that share is missing from Σ p(x) at every token. Below "
        f"{LEAK:g} it is harmless, above {LEAK_FAIL:g} log p of a long text is off by it."
    )
    return Finding(check, outcome, leak, LEAK, "probability", why)
