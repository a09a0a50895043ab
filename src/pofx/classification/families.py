"""Fitting p(x | t): a model for each class, one model of texts after prefixes, or a model that is fitted already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pofx.errors import Advice, BadValue
from pofx.lm.fitted_documents import record_documents
from pofx.lm.model import LM
from pofx.models.fitting import VocabSpec, fit
from pofx.models.specs import NgramSpec, TransformerSpec
from pofx.transforms.geometric import Geometric, GeometricVocab, geometric
from pofx.transforms.interpolate import Interpolation, interpolate
from pofx.vocab.spec import vocab_for
from pofx.vocab.vocabulary import Vocab, to_bytes

Length = Literal["own", "shared"]
Texts = Sequence[str | bytes]
Weights = NDArray[np.float64]
# A function from weights `[n, C]` of the documents in the classes to a model for each class.
Fitter = Callable[[Weights], tuple[LM, ...]]


def make_fitter(texts: Texts, spec: VocabSpec, length: Length, background: float, soft: bool) -> Fitter:
    """Make a function that fits a model for each class, over one vocabulary learned from all texts.

    Args:
        texts: The documents.
        spec: The specification of the models.
        length: With "own" each class learns its EOS, so that lengths are evidence. With "shared" a geometric distribution of
            the length, the same for all classes, ends the texts, and cancels in the posterior.
        background: The weight of a model of all texts in each class's next-token distribution.
        soft: Whether weights may be other numbers than 0 and 1.

    Returns:
        A function from weights `[n, C]` to a model for each class.
    """
    spec = with_vocab(spec, texts, length)
    vocab: Vocab = spec.vocab  # type: ignore[assignment]  # `with_vocab` has made the vocabulary
    ids = vocab.encode_many(texts)
    one: Callable[[Weights], LM]
    if soft:
        from pofx.models.ngram.weighted import WeightedNgrams

        assert isinstance(spec, NgramSpec)  # noqa: S101  (ours: the caller has checked `is_soft`)
        counted = WeightedNgrams(ids, spec, vocab)
        # EM fits each model to the documents of all classes, with weights above 0.
        record = record_documents(texts)

        def one(weights: Weights) -> LM:
            return counted.fit(weights).with_info(fitted=(record,))
    else:

        def one(weights: Weights) -> LM:
            return fit([texts[int(i)] for i in np.flatnonzero(weights)], spec)

    stop = None if length == "own" else estimate_stop([len(x) for x in ids])
    pooled = fit(texts, spec) if background else None
    return lambda weights: assemble_class_models(
        [one(column) for column in weights.T], stop, pooled, background
    )


def assemble_class_models(
    lms: Sequence[LM], stop: float | None, pooled: LM | None, background: float
) -> tuple[LM, ...]:
    """Add the distribution of the length if there is a `stop`, and mix in the background model."""
    if stop is not None:
        ending = GeometricVocab(lms[0].vocab)
        lms = [geometric(lm, stop, ending) for lm in lms]
        pooled = None if pooled is None else geometric(pooled, stop, ending)
    if pooled is None:
        return tuple(lms)
    mixed = [interpolate([lm, pooled], [1 - background, background]) for lm in lms]
    return tuple(mixed)


def split_class_model(lm: LM) -> tuple[LM, float | None, LM | None]:
    """Invert `assemble_class_models`: the class's own model, the `stop` of the length, the background model."""
    own, pooled = lm.lms if isinstance(lm, Interpolation) else (lm, None)
    if isinstance(own, Geometric):
        return own.lm, own.stop, pooled.lm if isinstance(pooled, Geometric) else None
    return own, None, pooled


def fit_behind_prefixes(texts: Texts, prefixes: Sequence[str | bytes], spec: VocabSpec) -> Fitter:
    """Make a function that fits one model to every text after the prefix of its class."""

    def one(weights: Weights) -> tuple[LM, ...]:
        whole = [concatenate(prefixes[c], texts[i]) for i, c in zip(*np.nonzero(weights))]
        return (fit(whole, spec),)

    return one


def concatenate(prefix: str | bytes, text: str | bytes) -> str | bytes:
    """Join a prefix and a text, as str where both are."""
    if isinstance(prefix, str) and isinstance(text, str):
        return prefix + text
    return to_bytes(prefix) + to_bytes(text)


def is_soft(spec: object) -> bool:
    """Return whether a spec can be fitted to fractional counts."""
    return isinstance(spec, NgramSpec) and spec.smoothing == "additive"


def with_vocab(spec: VocabSpec, texts: Texts, length: Length) -> VocabSpec:
    """Return the spec with a vocabulary made from all texts, since a class may lack characters of another class."""
    if not isinstance(spec, NgramSpec | TransformerSpec):
        raise BadValue(
            f"expected NgramSpec(…), TransformerSpec(…) or an LM, got {spec!r:.60}",
            "pass one of these three",
            argument="spec",
        )
    if length == "shared":
        if isinstance(spec.vocab, Vocab) and spec.vocab.end is not None:
            raise BadValue(
                "expected a vocabulary without EOS for length='shared', which ends texts by a distribution of lengths, "
                "got a vocabulary with EOS",
                Advice("make the vocabulary without EOS", "end=False", "--no-end", parameter="no-end"),
                argument="vocab",
            )
        spec = replace(spec, end=False)
    changes: dict[str, Any] = {"vocab": vocab_for(spec.vocab, texts, spec.end)}
    return replace(spec, **changes)


def estimate_stop(lengths: Sequence[int]) -> float:
    """Return q of the geometric distribution of lengths: (N + 1) / (N + Σ lengths + 2), by Laplace's rule."""
    return (len(lengths) + 1) / (len(lengths) + sum(lengths) + 2)
