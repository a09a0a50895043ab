"""The check that p(x1 | x0) was learned, by how well it predicts the beginnings of real texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pofx.lm.model import LM
from pofx.lm.trace import Ints
from pofx.queries.audit.distribution_statistics import DistributionStatistics, log_distributions
from pofx.queries.findings import BeginEvidence, Check, CheckVerdict, Finding, Measure, Series
from pofx.units import bits

# The fewest documents: with fewer the standard error of a mean is unreliable.
FEWEST = 8
# The least gain that matters, in bits, and as a share of the bits of the uniform distribution. A trained x0 gains a bit or
# more on real text. With many documents a smaller gain is significant, but is no sign of training.
MATERIAL, SHARE = 0.1, 0.025
# The share of the uniform distribution that is mixed in to compute the gain where an opening has probability 0.
MIXED = 0.01
# Distributions that differ by less in every entry count as equal: the model has no memory, and no distribution of
# beginnings apart from continuations.
SAME = 1e-6


def material(uniform: float) -> float:
    """Return the least gain that matters, bits, where the uniform distribution costs `uniform` bits."""
    return max(MATERIAL, SHARE * uniform)


def begin_finding(
    lm: LM, paths: Sequence[Ints], average: DistributionStatistics | None, has_x0: bool
) -> tuple[Finding, BeginEvidence | None]:
    """Check the bits of documents' first tokens under p(·|x0), against the uniform and the average distribution.

    The average is taken over all other positions, so it predicts x1 without the knowledge that a text begins. p(·|x0)
    passes if it costs fewer bits than the uniform distribution, and if its gain over the average exceeds three bounds.
    These are 2 standard errors, 0.1 bit, and 2.5 % of the bits of the uniform distribution, each with the noise of the
    average added.

    Args:
        lm: The model.
        paths: The documents, as token ids.
        average: Statistics of the next-token distributions at all other positions, or None.
        has_x0: Whether the model has an x0.

    Returns:
        The finding in bits, and the evidence; None without x0.

    Right: on documents the model was not fitted on. Wrong: reading `bos_token_id is not None` as evidence.
    """
    if not has_x0:
        why = (
            "There is no x0, so there is no p(x1|x0): the model only continues texts, and log p(x) of a "
            "whole text lacks its first factor. Condition on a text you name, or fit with begin=True."
        )
        return Finding(Check.BEGIN, "fail", None, None, Measure.BITS, why), None
    first = np.array([p[0] for p in paths if len(p)], dtype=np.int64)
    n, letters = len(first), sum(b is not None for b in lm.vocab.token_bytes)
    uniform = float(np.log2(max(letters, 1)))
    x0 = lm.begin.text or "x0"
    if average is None or not average.rows or not n:
        evidence = BeginEvidence(x0, lm.begin.known, float("nan"), uniform, float("nan"), float("nan"), n)
        return Finding(Check.BEGIN, "warn", None, None, Measure.BITS, _few(n)), evidence
    start = log_distributions(lm.start(1))[0]
    own = -start[first]
    with np.errstate(divide="ignore"):
        rival = -np.log(average.mean[first])
    gain, impossible = _gain(own, rival, letters)
    se = float(gain.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    mean = float(gain.mean())
    evidence = BeginEvidence(
        x0, lm.begin.known, bits(float(own.mean())), uniform, bits(float(rival.mean())), se, n
    )
    chart = Series(
        "the first token of a document", "bits", "bars",
        (
            (f"p(x1|{x0})", evidence.bits),
            ("average distribution", evidence.average_bits),
            ("uniform distribution", uniform),
        ),
    )  # fmt: skip
    if n < FEWEST:
        return Finding(Check.BEGIN, "warn", mean, None, Measure.BITS, _few(n), chart), evidence
    # The average distribution is an average of 2,000 distributions. By Jensen's inequality its noise costs half its
    # relative variance, nats, which is no gain of p(·|x0).
    bound = max(2 * se, material(uniform)) + bits(0.5 * float(np.minimum(average.noise[first], 1.0).mean()))
    blind = float(np.max(np.abs(np.exp(start) - average.mean))) < SAME and average.spread < SAME
    outcome: CheckVerdict = "pass" if mean > bound and evidence.bits < uniform else "fail"
    if impossible and mean > bound:
        outcome = "pass"
    why = (
        f"After {x0} ({lm.begin.known}) the first token of {n} documents costs {evidence.bits:.2f} bits, under the "
        f"model's average distribution {evidence.average_bits:.2f}, under the uniform distribution {uniform:.2f}: "
        f"knowing that a text begins gains {mean:.2f} ± {se:.2f} bits"
    )
    if impossible:
        why += f" ({impossible} openings have probability 0; for the gain 1% of the uniform distribution is mixed in)"
    if outcome == "fail" and blind:
        return Finding(
            Check.BEGIN,
            "warn",
            mean,
            bound,
            Measure.BITS,
            f"{why}. But its next-token distribution never changes: {_BLIND}",
            chart,
        ), evidence
    if outcome == "fail" and lm.begin.known == "trained" and mean > -bound:
        # Texts over {0, 1} may begin as they continue. So only a loss fails an x0 that is known to have been trained.
        outcome = "warn"
    why += ". " + _MEANING[outcome]
    return Finding(Check.BEGIN, outcome, mean, bound, Measure.BITS, why, chart), evidence


_BLIND = "a model without memory has this distribution as p(x1), too, so the first token has nothing of its own to learn."
_MEANING = {
    "pass": "So x0 was in training where texts begin.",
    "fail": "So p(x1) was not learned, and log p(x) of a whole text would have a meaningless first factor.",
    "warn": "x0 was in training, but makes no difference on these documents, which begin as they continue.",
}


def _gain(
    own: NDArray[np.float64], rival: NDArray[np.float64], letters: int
) -> tuple[NDArray[np.float64], int]:
    """Return the bits gained on each document, and how many documents have an opening of probability 0."""
    impossible = int(np.sum(~np.isfinite(own)))
    if impossible or not np.all(np.isfinite(rival)):
        floor = MIXED / max(letters, 1)
        own = -np.log((1 - MIXED) * np.exp(-own) + floor)
        rival = -np.log((1 - MIXED) * np.exp(-rival) + floor)
    return np.array([bits(float(g)) for g in rival - own]), impossible


def _few(n: int) -> str:
    return (
        f"Too few documents ({n}, at least {FEWEST} needed) to measure how well p(·|x0) predicts the beginnings of "
        "texts; pass held-out documents of the model's own kind: audit(lm, texts)."
    )
