"""The fit of a filter: a model of each language, and the bounds within which most of a sample lies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from pofx.classification.outliers import Rejection, make_rejection
from pofx.classification.priors import Prior
from pofx.classification.training import fit_joint
from pofx.corpus.split import is_held_out
from pofx.errors import Advice, BadSource, BadValue
from pofx.filtering.bounds import Bounds, bounds_of_labels, bounds_of_quantiles, check_quantiles
from pofx.filtering.normaliser import NORMALISERS, Normaliser
from pofx.filtering.quality import QualityFilter, Routed, route
from pofx.filtering.reference import Floats, make_reference
from pofx.models.specs import NgramSpec, TransformerSpec
from pofx.values import check_real_number

# The name of the only language where the caller names none.
ONE = "all"
QUANTILES = (0.0, 0.9)


def fit_filter(
    sample: Iterable[str],
    languages: Mapping[str, Iterable[str]] | None = None,
    *,
    spec: NgramSpec | TransformerSpec = NgramSpec(),
    normaliser: Normaliser | str = "pofx",
    quantiles: tuple[float, float] = QUANTILES,
    good: Iterable[str] | None = None,
    bad: Iterable[str] | None = None,
    held_out: float = 0.2,
    reject: float = 0.005,
    least_posterior: float = 0.5,
    prior: Prior = "uniform",
) -> QualityFilter:
    """Fit a filter: a model of each language, and bounds of bits per byte.

    The models are fitted on the documents of `languages` that are not held out. The held-out documents show how improbable
    an ordinary text may be. Documents of the sample on which a model was fitted are left out of the bounds.

    Args:
        sample: Documents such as those to be filtered.
        languages: The documents of each language, by its name; None for one language, "all", whose documents are the sample.
        spec: The spec of each model.
        normaliser: The steps before a model reads a text: a `Normaliser`, or "pofx", "ccnet" or "none".
        quantiles: The quantiles of the sample's bits per byte that are the bounds.
        good: With `bad`, documents to be kept. The bounds are then those that part good from bad documents best.
        bad: With `good`, documents not to be kept.
        held_out: The share of documents that no model is fitted on, chosen by a hash of their text.
        reject: The largest share of ordinary texts that may be rejected because p a byte is too small; 0 rejects no text so.
        least_posterior: The least P(language | text) of a text that is not rejected.
        prior: P(language): "uniform", "empirical", or a number for each language.

    Returns:
        The filter.

    Raises:
        BadSource: A language has no document to fit a model to, or to find its bounds with.
        BadValue: An argument is outside its domain.
        NotText: A document has a lone surrogate, or a vocabulary cannot spell a document.

    Right: `fit_filter(web, {"en": english, "de": german})`. Wrong: `fit_filter(english)` to filter German texts.
    """
    held_out = check_real_number("held_out", held_out, 0, 1)
    reject = check_real_number("reject", reject, 0, 1, below=True)
    least_posterior = check_real_number("least_posterior", least_posterior, 0, 1)
    check_quantiles(quantiles)
    if (good is None) != (bad is None):
        raise BadValue(
            "expected good and bad documents, or neither, got one of the two",
            ["name the other", "leave both out"],
            argument="good",
        )
    clean = _normaliser(normaliser)
    named_texts = {"sample": sample, "good": good, "bad": bad, **(languages or {})}
    for name, some in named_texts.items():
        if isinstance(some, str | bytes):
            raise BadValue("expected an iterable of texts, got one text", "write [text]", argument=name)
    plain = [clean(t) for t in sample]
    named = {ONE: plain} if languages is None else {n: [clean(t) for t in ts] for n, ts in languages.items()}
    if not named:
        raise BadValue("expected at least one language, got none", "name a language", argument="languages")
    texts, labels, aside = _parted(named, held_out)
    router, _ = fit_joint(texts, labels, list(named), spec, None, prior)
    rejection: Rejection | None = None
    if aside and reject:
        open_router = route(router, None, 0.0, 0.0, aside)
        rejection = make_rejection(open_router.log_evidence, open_router.bytes)

    def routed(some: Sequence[str]) -> Routed:
        return route(router, rejection, reject, least_posterior, some)

    fresh = [t for t, seen in zip(plain, router.fitted_on(plain)) if t and not seen]
    of_sample = _by_language(routed(fresh), len(named)) if fresh else [np.zeros(0)] * len(named)
    if good is None or bad is None:
        asked: tuple[float, float] | None = (float(quantiles[0]), float(quantiles[1]))
        for name, values in zip(named, of_sample):
            _check_found(name, values, "of the sample")
        bounds = tuple(bounds_of_quantiles(v, quantiles) for v in of_sample)
        references = tuple(make_reference(v) for v in of_sample)
    else:
        asked = None
        sides = [
            _by_language(routed([clean(t) for t in side if clean(t)]), len(named)) for side in (good, bad)
        ]
        bounds = tuple(_labelled(name, *pair) for name, *pair in zip(named, *sides))
        references = tuple(make_reference(v if len(v) else g) for v, g in zip(of_sample, sides[0]))
    return QualityFilter(clean, router, rejection, reject, least_posterior, references, bounds, asked)


def _normaliser(asked: Normaliser | str) -> Normaliser:
    if isinstance(asked, Normaliser):
        return asked
    if asked not in NORMALISERS:
        raise BadValue(
            f"expected one of {', '.join(NORMALISERS)}, or a Normaliser, got {asked!r:.60}",
            "write one of these names",
            argument="normaliser",
        )
    return NORMALISERS[asked]


def _parted(
    named: Mapping[str, Sequence[str]], held_out: float
) -> tuple[list[str], np.ndarray[tuple[int], np.dtype[np.int64]], list[str]]:
    """Return the texts to fit, the place of the language of each, and the texts held out; empty texts are left out."""
    texts: list[str] = []
    labels: list[int] = []
    aside: list[str] = []
    for k, (name, documents) in enumerate(named.items()):
        fitted = [t for t in documents if t and not is_held_out(t, held_out)]
        if not fitted:
            raise BadSource(
                f"language {name!r}: expected documents to fit its model to, got none",
                ["add documents", Advice("hold fewer documents out", "held_out=…", "--held-out")],
            )
        texts += fitted
        labels += [k] * len(fitted)
        aside += [t for t in documents if t and is_held_out(t, held_out)]
    return texts, np.array(labels, dtype=np.int64), aside


def _by_language(found: Routed, n: int) -> list[Floats]:
    """Return the bits per byte of the texts of each language; texts of no known language are left out."""
    return [found.bits_per_byte[found.known & (found.language == k)] for k in range(n)]


def _labelled(name: str, good: Floats, bad: Floats) -> Bounds:
    _check_found(name, good, "that are good")
    if not len(bad):  # nothing to part from: all that is good is kept
        return Bounds(-np.inf, np.inf, "labels", len(good), len(good))
    return bounds_of_labels(good, bad)


def _check_found(name: str, values: Floats, which: str) -> None:
    if not len(values):
        raise BadSource(
            f"language {name!r}: expected documents {which} in this language, to find its bounds with, got none",
            [
                "add documents that no model was fitted on",
                Advice("hold more documents out", "held_out=…", "--held-out"),
                "leave the language out",
            ],
        )
