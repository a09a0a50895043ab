"""The numbers of a scorer, with the number of EOS apart, and comparisons of two lists of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadValue
from pofx.lm.log_checks import check_logs
from pofx.lm.scorer import Scorer
from pofx.queries.findings import CheckVerdict

Floats = NDArray[np.float64]

# The largest difference of equal numbers, and the largest difference that may be rounding, nats a token. A server that
# computes in bfloat16, or in batches, is off by up to 0.05, which gives a warning.
SAME, ROUNDED = 1e-6, 0.05
# The largest excess of a sum over 1 that passes, and the largest that may be rounding, which gives a warning.
EXACT, NEARLY = 1e-6, 0.01
# The number of texts in one call of the scorer.
TOGETHER = 64


@dataclass(frozen=True, eq=False)
class Numbers:
    """The numbers of a scorer for one text.

    Attributes:
        logp: The number of each token, nats.
        end: The number of EOS, nats; None where the scorer gives no such number.
    """

    logp: Floats
    end: float | None

    @property
    def total(self) -> float:
        """Σ logp, EOS left out, nats."""
        return float(self.logp.sum())


def read_numbers(scorer: Scorer, texts: Sequence[str], together: int = TOGETHER) -> list[Numbers]:
    """Return a scorer's numbers of texts, with `together` texts in one call.

    Raises:
        NoLaw: A number is nan or +∞.
        BadValue: The scorer does not answer each text, or has no number of EOS although `ends` says so.
    """
    out: list[Numbers] = []
    for lo in range(0, len(texts), together):
        asked = texts[lo : lo + together]
        found = [np.asarray(a, dtype=np.float64) for a in scorer.score(asked)]
        if len(found) != len(asked) or any(a.ndim != 1 for a in found):
            raise BadValue(
                f"expected a list of numbers for each of {len(asked)} texts, got {len(found)} lists",
                "return one list a text",
                argument="score",
            )
        for logp in found:
            check_logs(logp, "log p of tokens")
            if scorer.ends and not len(logp):
                raise BadValue(
                    "expected the number of EOS last, got no number", "pass ends=False", argument="ends"
                )
            out.append(Numbers(logp[:-1], float(logp[-1])) if scorer.ends else Numbers(logp, None))
    return out


def largest_difference(a: Floats, b: Floats) -> float:
    """Return the largest difference of two lists of numbers, nats: 0 for equal infinities, ∞ for lists of other lengths."""
    if a.shape != b.shape:
        return float("inf")
    with np.errstate(invalid="ignore"):
        step = np.where(a == b, 0.0, np.abs(a - b))
    return float(np.max(step, initial=0.0))


def shared_length(scorer: Scorer, text: str, other: str) -> int | None:
    """Count the first pieces that two texts share; None where the pieces are not known."""
    if scorer.pieces is None:
        return None
    mine, theirs = scorer.pieces(text), scorer.pieces(other)
    return next((i for i, (a, b) in enumerate(zip(mine, theirs)) if a != b), min(len(mine), len(theirs)))


def graded(value: float, good: float, rounded: float) -> CheckVerdict:
    """Return "pass" up to `good`, "warn" up to `rounded`, else "fail"."""
    return "pass" if value <= good else "warn" if value <= rounded else "fail"
