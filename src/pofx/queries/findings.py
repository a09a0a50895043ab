"""The report of an audit: a finding for each check, and a verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from pofx.files.pins import Verdict as ModelVerdict
from pofx.interactive.shown import Shown
from pofx.lm.begin import Known

CheckVerdict = Literal["pass", "warn", "fail"]
# A scorer shows no distribution, so its best verdict says only that no number contradicts a distribution.
Verdict = Literal[ModelVerdict, "scores-only"]


class _NamedByValue(StrEnum):
    """Enum members that are shown as their values, also within a list."""

    def __repr__(self) -> str:
        return repr(self.value)


class Check(_NamedByValue):
    """A check of a model or of a corpus; the value is the name in reports."""

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
    OWN_SAMPLER = "its own sampler"
    NEXT_SUMS = "next tokens sum to at most 1"
    STRING_SUMS = "strings sum to at most 1"
    FRESH = "scored before it is read"
    CAUSAL = "what follows changes nothing"
    UNITS = "one unit"
    REPEATS = "same text, same numbers"
    EXACT_DUPLICATES = "exact duplicates"
    NEAR_DUPLICATES = "near-duplicates"
    SPLIT = "copies across the split"
    NEIGHBOURS = "neighbours say nothing"
    ORDER = "order does not matter"
    STARTS = "documents start at x0"
    EFFECTIVE_NUMBER = "effective number"
    LOSS = "L(θ)"


class Measure(_NamedByValue):
    """The unit of a number that a check has measured; the value is the name in reports."""

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
    NUMBERS = "numbers"
    NONE = ""


# The measures of how well p(x1|x0) predicts the openings of documents.
OPENING_MEASURES = (Measure.BITS_OPENING, Measure.BITS_FIRST_BYTE)


@dataclass(frozen=True)
class Series:
    """A small chart: named points in order.

    Attributes:
        title: Title of the chart.
        unit: Unit of all points.
        kind: "bars" to compare points, "line" along a number axis.
        points: (name, value) of each point.
    """

    title: str
    unit: str
    kind: Literal["bars", "line"]
    points: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        check: The check.
        verdict: "pass", "warn" or "fail".
        value: The measured number, in `unit`; None where the check has no number.
        bound: The bound for `value`, in `unit`; None where the check has no bound.
        unit: Unit of `value` and `bound`.
        why: One or two sentences for a reader who does not know the check.
        series: A chart; None for none.

    Right: `[f for f in audit(lm, texts).findings if f.verdict == "fail"]`. Wrong: finding a check by its sentence: use
    `check`.
    """

    check: Check
    verdict: CheckVerdict
    value: float | None
    bound: float | None
    unit: Measure
    why: str
    series: Series | None = None


@dataclass(frozen=True)
class BeginEvidence:
    """How well p(x1|x0) predicts the beginnings of real texts, in bits a first token; fewer bits are better.

    Attributes:
        text: The text of x0.
        known: How x0 is known.
        bits: Bits under p(·|x0).
        uniform_bits: Bits under the uniform distribution.
        average_bits: Bits under the model's average next-token distribution, which ignores that a text begins.
        se: Standard error of the mean gain over the average distribution, bits.
        n: Number of documents.
        id: Id of the token that stands for x0; None for an x0 of pofx's own.
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
    """A token that may stand for x0 of a pretrained model, and how well p(x1|token) predicts the beginnings of texts.

    A number that was not measured is nan.

    Attributes:
        name: The token.
        id: Its id; None for the candidate "no token".
        role: "bos" as the files declare it, "eos", "unk", "pad", "separator", "newline", "none" or "twice".
        current: Whether the model was audited with this candidate as its x0.
        first_bits: Bits of the first token of a document.
        uniform_bits: Bits of the first token under the uniform distribution.
        average_bits: Bits of the first token under the model's average next-token distribution.
        average_se: Standard error of the difference from the average distribution, bits.
        byte_bits: Bits of the first byte of a document.
        uniform_byte_bits: Bits of the first byte under the uniform distribution.
        same: Share of p(x1|candidate) that the model also gives after any other token that stands first.
        rest_bits: Bits of each further token at the head of a document.
        behind: The difference of `rest_bits` and the smallest `rest_bits` of all candidates, bits.
        rest_se: Standard error of `behind`, bits.
        entropy_bits: Entropy of p(x1|candidate), bits.
        top: The likeliest outcomes of p(x1|candidate) and their probabilities.
        n: Number of documents whose openings were read.
        verdict: "pass", "warn" or "fail".
        value: The number that decided the verdict, in `unit`.
        bound: The bound for `value`, in `unit`.
        unit: Unit of `value` and `bound`.
        why: The reason, in words.
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
    """A control token that may end texts: its mean log2 p where documents end, and elsewhere in documents.

    Attributes:
        name: The token.
        id: Its id.
        current: Whether the token is the EOS of the model.
        at_end: Mean log2 p where documents end, bits.
        elsewhere: Mean log2 p elsewhere in documents, bits.
        gain: `at_end` − `elsewhere`, document by document, bits.
        se: Standard error of `gain`, bits.
        n: Number of documents.
        sum: Mean over documents of Σ p over all positions: 1 for an EOS of which the model is calibrated.
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


@dataclass(frozen=True, repr=False)
class Audit(Shown):
    """The evidence that a model is the distribution that it claims to be.

    Attributes:
        verdict: "joint" where x0 is trained, EOS ends texts and p sums to 1. "conditional" where the model has p(y|x) only,
            for an x that the user names. "prefix-only" where the model has x0 but no EOS, so prefix probabilities only.
            "improper" where some probabilities do not sum to 1. "scores-only" for a `Scorer` whose numbers contradict no
            distribution.
        reason: The reason for the verdict, in words.
        begin: How well p(x1|x0) predicts the beginnings of texts; None where this was not measured.
        findings: One finding a check.
        documents: Number of documents that were read.
        seed: Seed of the draws.
        candidates: Tokens that may stand for x0.
        endings: Control tokens that may end texts.

    Right: `audit(lm, held_out).verdict == "joint"`. Wrong: an audit with documents that the model was fitted on.
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
