"""What an audit says: one finding a check, and the verdict they come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from pofx.files.pins import Verdict as Verdict
from pofx.lm.begin import Known

CheckVerdict = Literal["pass", "warn", "fail"]


class _NamedByValue(StrEnum):
    """Names that are shown as their words, also within a list."""

    def __repr__(self) -> str:
        return repr(self.value)


class Check(_NamedByValue):
    """What an audit, of a model or of a corpus, can check; the value is what reports call it."""

    ROWS = "rows sum to 1"
    FORWARD = "extend = forward"
    BATCH = "batch invariance"
    VALUES = "states are values"
    DRAWS = "draws are scored as drawn"
    STRINGS = "strings sum to 1"
    LEAK = "leak"
    BEGIN = "p(x1) is trained"
    END = "EOS ends texts"
    POSSIBLE = "documents are possible"
    ALIVE = "alive(L)"
    CANONICAL = "canonical draws"
    PRECISION = "precision"
    ROUND_TRIP = "decode∘encode = id"
    EXACT_DUPLICATES = "exact duplicates"
    NEAR_DUPLICATES = "near-duplicates"
    SPLIT = "copies across the split"
    NEIGHBOURS = "neighbours say nothing"
    ORDER = "order does not matter"
    STARTS = "documents start at x0"
    EFFECTIVE_NUMBER = "effective number"
    LOSS = "L(θ)"


class Measure(_NamedByValue):
    """The unit of a number that a check has measured; the value is how reports write it."""

    BITS = "bits"
    BITS_OPENING = "bits a first token"
    BITS_FIRST_BYTE = "bits a first byte"
    BITS_EACH = "bits a token"
    SHARE = "share"
    PROBABILITY = "probability"
    NATS = "nats"
    NATS_EACH = "nats a token"
    NATS_DOCUMENT = "nats a document"
    P_VALUE = "p-value"
    DOCUMENTS = "documents"
    OF_DOCUMENTS = "of documents"
    OF_HELD_OUT = "of held-out"
    TEXTS = "texts"
    NONE = ""


# Units of what an x0 gains on how documents begin.
OPENING_MEASURES = (Measure.BITS_OPENING, Measure.BITS_FIRST_BYTE)


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

    check: Check
    verdict: CheckVerdict
    value: float | None
    bound: float | None
    unit: Measure
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
    id: int | None = None


@dataclass(frozen=True)
class BeginCandidate:
    """What may stand for x0 of a pretrained model, and what p(x1|it) knows of how texts begin. nan: not there.

    name, id: the token (None for none of them). role: "bos" as the files declare it, "eos", "unk", "pad",
    "separator", "newline", "none", "twice"; current: whether it is the x0 that the model was audited with.
    first_bits: of the first token of a document, against uniform_bits and average_bits (the model's average law;
    average_se: standard error of the difference). byte_bits: of its first byte, against that of the uniform law.
    same: the share of p(x1|it) that the model also gives behind any other token standing first. rest_bits: of each
    further token of a document's head; behind: how much more that is than behind the candidate where it is least,
    rest_se its standard error. entropy_bits: of p(x1|it). top: its likeliest outcomes and their probabilities. n:
    documents whose openings were read. value, bound, unit: the number that decided the verdict, and what it was
    held against.
    """

    name: str
    id: int | None
    role: str
    current: bool
    first_bits: float
    uniform_bits: float
    average_bits: float
    average_se: float
    byte_bits: float
    uniform_byte_bits: float
    same: float
    rest_bits: float
    behind: float
    rest_se: float
    entropy_bits: float
    top: tuple[tuple[str, float], ...]
    n: int
    verdict: CheckVerdict
    value: float
    bound: float
    unit: Measure
    why: str


@dataclass(frozen=True)
class EndCandidate:
    """A control token that may end texts: mean log2 p of it where documents end, and elsewhere in them.

    gain: the first less the second, document by document, with its standard error. current: whether it is the EOS.
    sum: of p over all positions of a document, on average: 1 for an EOS of which the model is calibrated.
    """

    name: str
    id: int
    current: bool
    at_end: float
    elsewhere: float
    gain: float
    se: float
    n: int
    sum: float


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
    candidates: tuple[BeginCandidate, ...] = ()
    endings: tuple[EndCandidate, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether any check failed."""
        return any(f.verdict == "fail" for f in self.findings)
