"""The check of mass on ids that spell no text, which is missing from the sum over strings."""

from __future__ import annotations

from pofx.lm.model import LM
from pofx.queries.audit.distribution_statistics import DistributionStatistics
from pofx.queries.findings import Check, CheckVerdict, Finding, Measure
from pofx.units import count_noun
from pofx.vocab.words import CLASS

LEAK, LEAK_FAIL = 1e-6, 1e-3


def leak_finding(lm: LM, average: DistributionStatistics | None) -> Finding:
    """Check the average mass on ids that spell no text: "pass" below 1e-6, "fail" above 1e-3.

    A class of unknown words is an outcome like the others, so its mass is a warning at most.

    Args:
        lm: The model.
        average: Statistics of next-token distributions, or None.

    Returns:
        The finding.
    """
    control = [i for i, b in enumerate(lm.vocab.token_bytes) if b is None and i != lm.vocab.end]
    if not control:
        why = "Every outcome is EOS or spells text, so no mass can leak to control tokens."
        return Finding(Check.LEAK, "pass", 0.0, LEAK, Measure.PROBABILITY, why)
    if average is None or not average.rows:
        why = "No position of any text could be read, so the mass on control tokens is unknown."
        return Finding(Check.LEAK, "warn", None, LEAK, Measure.PROBABILITY, why)
    leak = average.leak
    at = f"averaged over {count_noun(average.rows, 'position')}"
    if lm.vocab.control.unknown is not None:
        why = (
            f"The share {leak:.2g} of the mass of a token is on {CLASS}, the class of all unknown words, which spells no "
            f"word ({at}). Distributions sum to 1 with the class, so p is a distribution over words and {CLASS}: "
            "Σ p over the texts of known words loses that share at every token."
        )
        return Finding(Check.LEAK, "pass" if leak <= LEAK else "warn", leak, LEAK, Measure.PROBABILITY, why)
    outcome: CheckVerdict = "pass" if leak <= LEAK else "warn" if leak <= LEAK_FAIL else "fail"
    why = (
        f"A token puts {leak:.2g} of its mass on {len(control)} control tokens that spell no text ({at}): that share is "
        f"missing from Σ p(x) at every token. Below {LEAK:g} it is harmless, above {LEAK_FAIL:g} log p of a long text is "
        "off by it."
    )
    return Finding(Check.LEAK, outcome, leak, LEAK, Measure.PROBABILITY, why)


def leak_note(lm: LM, found: Finding) -> str:
    """Return the note to a verdict "joint" for a model whose class of unknown words has mass: the set where p sums to 1.

    Args:
        lm: The model.
        found: The finding of the leak.

    Returns:
        A sentence; "" where there is nothing to add.

    Right: after "next-token distributions sum to 1". Wrong: in place of the finding.
    """
    if found.verdict == "pass" or found.value is None or lm.vocab.control.unknown is None:
        return ""
    return (
        f" They are distributions over words and {CLASS}: {found.value:.3g} of the mass of a token is on {CLASS} and "
        "spells no text, so p sums to 1 with that class, and to less over texts."
    )
