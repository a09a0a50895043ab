"""What an audit says: one finding a check, and the verdict they come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pofx.lm import Known

Outcome = Literal["pass", "warn", "fail"]
Verdict = Literal["joint", "conditional", "prefix-only", "improper"]


@dataclass(frozen=True)
class Series:
    """A small chart: named points in order, in one unit. kind: "bars" to compare, "line" along a number axis."""

    title: str
    unit: str
    kind: Literal["bars", "line"]
    points: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Finding:
    """One check. value: what was measured, bound: what it was held against (None where there is no number);
    unit: of both. why: one or two sentences for a reader who does not know the check."""

    check: str
    verdict: Outcome
    value: float | None
    bound: float | None
    unit: str
    why: str
    series: Series | None = None


@dataclass(frozen=True)
class BeginEvidence:
    """What p(x1|x0) knows of how real texts begin, in bits per first token (less is better).

    bits: under p(·|x0). uniform_bits: under the uniform law. average_bits: under the model's own average
    next-token law, that is with no knowledge of where a text begins. n: documents. se: standard error of the
    mean gain over the average law.
    """

    text: str
    known: Known
    bits: float
    uniform_bits: float
    average_bits: float
    se: float
    n: int


@dataclass(frozen=True)
class Audit:
    """The evidence that a model is what it claims to be.

    verdict: "joint" (x0 is trained, EOS ends texts, p sums to 1), "conditional" (only p(y|x) for an x the user
    names), "prefix-only" (x0 but no EOS: prefix probabilities only), "improper" (something does not sum).
    """

    verdict: Verdict
    reason: str
    begin: BeginEvidence | None
    findings: tuple[Finding, ...] = field(default_factory=tuple)
    documents: int = 0
    seed: int = 0

    @property
    def failed(self) -> bool:
        """Whether any check failed."""
        return any(f.verdict == "fail" for f in self.findings)
