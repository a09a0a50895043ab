"""A filter of documents: which language a text is in, how probable the text is, and whether the text is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pofx.algorithms.logspace import logsumexp
from pofx.classification.joint import Joint
from pofx.classification.outliers import Rejection
from pofx.errors import BadValue
from pofx.filtering.bounds import Bounds
from pofx.filtering.normaliser import Normaliser
from pofx.filtering.reference import Reference
from pofx.queries.corpus_audit.fragments import continues_sentence, ends_sentence
from pofx.queries.scoring.terms import Terms, terms
from pofx.units import bits_per_byte
from pofx.vocab.vocabulary import to_bytes

# Why a text is not kept; "" for a text that is kept.
Reason = Literal["", "empty", "language", "improbable", "predictable"]
Midway = Literal["", "begins", "ends", "begins, ends"]


@dataclass(frozen=True)
class Judgement:
    """What a filter says of one text. Numbers are of the normalised text.

    Attributes:
        language: The most probable language; None where the text is rejected as of no known language.
        posterior: P(language | text) of the most probable language, from 0 to 1.
        log_p: log p(text | language) of the most probable language, EOS included; nats.
        bits_per_byte: −log2 p(text | language) / bytes; nan for an empty text.
        quantile: The share of the language's sample that has at most these bits per byte; nan without a language, and for an
            empty text.
        outlier_p: (1 + held-out documents that are at most as probable a byte) / (n + 1) for n held-out documents; 1 for a
            filter without `rejection`.
        midway: Whether the text, by its form, begins or ends in the middle of a sentence.
        fitted: Whether a model was fitted on this text, so that `log_p` flatters the model.
        reason: Why the text is not kept; "" for a text that is kept.
        terms: The terms of `log_p`.
    """

    language: str | None
    posterior: float
    log_p: float
    bits_per_byte: float
    quantile: float
    outlier_p: float
    midway: Midway
    fitted: bool
    reason: Reason
    terms: Terms


@dataclass(frozen=True, eq=False)
class QualityFilter:
    """A filter, which keeps texts of known languages whose bits per byte lie within bounds.

    Attributes:
        normaliser: The steps before a model reads a text.
        router: P(text, language): a model of each language, and a prior.
        rejection: log p(text) a byte of held-out documents; None where none was held out, or `reject` was 0 in the fit.
        reject: The largest share of ordinary texts that may be rejected because p a byte is too small; 0 rejects no text so.
        least_posterior: The least P(language | text) of a text that is not rejected.
        references: The bits per byte of the sample, for each language.
        bounds: The bounds of bits per byte, for each language.
        quantiles: The quantiles of the sample that the bounds were asked for; None for bounds of labels.

    Right: `filter_texts(quality, ["a text"])[0].reason`. Wrong: comparing `log_p` of texts in two languages.
    """

    normaliser: Normaliser
    router: Joint
    rejection: Rejection | None
    reject: float
    least_posterior: float
    references: tuple[Reference, ...]
    bounds: tuple[Bounds, ...]
    quantiles: tuple[float, float] | None

    @property
    def languages(self) -> tuple[str, ...]:
        """The names of the languages, in the order of the models."""
        return tuple(map(str, self.router.classes))


@dataclass(frozen=True, eq=False)
class Routed:
    """The languages of normalised texts.

    Attributes:
        language: The place of the most probable language, `[n]`.
        known: Whether the text is not rejected, `[n]`.
        posterior: P(language | text), `[n]`.
        log_p: log p(text | language), `[n]`, nats.
        log_evidence: log p(text), `[n]`, nats.
        outlier_p: As in `Judgement`, `[n]`.
        bits_per_byte: As in `Judgement`, `[n]`.
        bytes: The bytes of each normalised text, `[n]`.
        tokens: The tokens of each normalised text, EOS not counted, `[n]`.
    """

    language: np.ndarray[tuple[int], np.dtype[np.int64]]
    known: np.ndarray[tuple[int], np.dtype[np.bool_]]
    posterior: np.ndarray[tuple[int], np.dtype[np.float64]]
    log_p: np.ndarray[tuple[int], np.dtype[np.float64]]
    log_evidence: np.ndarray[tuple[int], np.dtype[np.float64]]
    outlier_p: np.ndarray[tuple[int], np.dtype[np.float64]]
    bits_per_byte: np.ndarray[tuple[int], np.dtype[np.float64]]
    bytes: np.ndarray[tuple[int], np.dtype[np.int64]]
    tokens: np.ndarray[tuple[int], np.dtype[np.int64]]


def route(
    router: Joint, rejection: Rejection | None, reject: float, least_posterior: float, texts: Sequence[str]
) -> Routed:
    """Find the language of each normalised text by Bayes' rule, with reject.

        P(t | x) = P(t) p(x | t) / Σ_u P(u) p(x | u);  known = max_t P(t | x) ≥ least_posterior and outlier_p > reject

    Args:
        router: The models and the prior.
        rejection: log p(text) a byte of held-out documents; None rejects no text for a small p a byte.
        reject: The largest `outlier_p` of a text that is rejected; 0 rejects no text so.
        least_posterior: The least posterior of a text that is not rejected.
        texts: The n normalised texts.

    Returns:
        The languages and numbers of the texts.
    """
    found = router.likelihoods(texts)
    joint = found.log_p + router.log_prior
    evidence = logsumexp(joint, axis=1)
    best = np.argmax(joint, axis=1)
    rows = np.arange(len(texts))
    possible = ~np.isneginf(evidence)
    posterior = np.zeros(len(texts))
    posterior[possible] = np.exp(joint[rows, best] - np.where(possible, evidence, 0.0))[possible]
    sizes = np.array([len(to_bytes(t)) for t in texts], dtype=np.int64)
    outlier_p = np.ones(len(texts)) if rejection is None else rejection.p(evidence, sizes)
    log_p = found.log_p[rows, best]
    return Routed(
        best,
        possible & (posterior >= least_posterior) & (outlier_p > reject),
        posterior,
        log_p,
        evidence,
        outlier_p,
        np.array([bits_per_byte(-float(p), int(n)) for p, n in zip(log_p, sizes)]),
        sizes,
        found.tokens,
    )


def filter_texts(quality: QualityFilter, texts: Sequence[str]) -> list[Judgement]:
    """Judge texts by a filter.

    Args:
        quality: The filter.
        texts: The documents.

    Returns:
        A record for each text, in order.

    Raises:
        NotText: A text has a lone surrogate, or a vocabulary cannot spell a text.
        BadValue: `texts` is one text.

    Right: `[t for t, j in zip(texts, filter_texts(quality, texts)) if not j.reason]`. Wrong: `filter_texts(quality, "a
    text")`, since a string is no list of texts.
    """
    if isinstance(texts, str | bytes):
        raise BadValue(
            "expected a list of texts, got one text", "write filter_texts(quality, [text])", argument="texts"
        )
    plain = [quality.normaliser(t) for t in texts]
    found = route(quality.router, quality.rejection, quality.reject, quality.least_posterior, plain)
    fitted = quality.router.fitted_on(plain)
    out = []
    for i in range(len(plain)):
        at, known, bpb = int(found.language[i]), bool(found.known[i]), float(found.bits_per_byte[i])
        n_bytes = int(found.bytes[i])
        bounds = quality.bounds[at]
        out.append(
            Judgement(
                quality.languages[at] if known else None,
                float(found.posterior[i]),
                float(found.log_p[i]),
                bpb,
                float(quality.references[at].quantile(np.array([bpb]))[0]) if known and n_bytes else np.nan,
                float(found.outlier_p[i]),
                midway(texts[i]),
                bool(fitted[i]),
                reason(n_bytes, known, bool(fitted[i]), bpb, bounds),
                replace(
                    terms(quality.router.lms[at], int(found.tokens[i]), n_bytes, 0, True),
                    fitted=bool(fitted[i]),
                ),
            )
        )
    return out


def reason(n_bytes: int, known: bool, fitted: bool, bits: float, bounds: Bounds) -> Reason:
    """Return why a text is not kept; "" for a text that is kept.

    A text on which a model was fitted is never too predictable, since the fit itself makes its bits per byte too low.

    Args:
        n_bytes: The bytes of the normalised text.
        known: Whether the text is of a known language.
        fitted: Whether a model was fitted on the text.
        bits: The bits per byte of the text.
        bounds: The bounds of the language of the text.
    """
    if not n_bytes:
        return "empty"
    if not known:
        return "language"
    if bits > bounds.high:
        return "improbable"
    return "predictable" if bits < bounds.low and not fitted else ""


def midway(text: str) -> Midway:
    """Return whether a text, by its form, begins or ends in the middle of a sentence.

    A text begins so if it starts in lower case or with a closing mark, and ends so if it has no final mark at its end. The
    evidence is weak for lists, verse and code.

    Args:
        text: The document as it is, not normalised.

    Returns:
        "begins", "ends", "begins, ends" or "".
    """
    begins, ends = continues_sentence(text), not ends_sentence(text)
    return "begins, ends" if begins and ends else "begins" if begins else "ends" if ends else ""
