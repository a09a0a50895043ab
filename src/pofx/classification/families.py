"""What is fitted of p(x | t): a model a class, one model behind prefixes, or nothing, where the model is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadValue
from pofx.lm.fitted_documents import record_documents
from pofx.lm.model import LM
from pofx.models.fitting import Spec, fit
from pofx.models.specs import NgramSpec, TransformerSpec
from pofx.transforms.geometric import Geometric, GeometricVocab, geometric
from pofx.transforms.interpolate import Interpolation, interpolate
from pofx.vocab.spec import vocab_for
from pofx.vocab.vocabulary import Vocab, to_bytes

Length = Literal["own", "shared"]
Texts = Sequence[str | bytes]
Weights = NDArray[np.float64]
# From weights `[n, C]` of the documents in the classes to a model for each class.
Fitter = Callable[[Weights], tuple[LM, ...]]


def make_fitter(texts: Texts, spec: Spec, length: Length, background: float, soft: bool) -> Fitter:
    """A model for each class, over one vocabulary learned from all texts; `soft`: weights need not be 0 or 1.

    length="own": each class learns its EOS, so that lengths are evidence. "shared": none has one, and a geometric law
    of the length, the same for all, makes texts of what they say: it cancels in the posterior. background: the weight
    that a model of all texts has in each class's law of the next token.
    """
    spec = with_vocab(spec, texts, length)
    vocab: Vocab = spec.vocab  # type: ignore[assignment]  # it has just been made
    ids = vocab.encode_many(texts)
    one: Callable[[Weights], LM]
    if soft:
        from pofx.models.ngram.weighted import WeightedNgrams

        assert isinstance(spec, NgramSpec)  # noqa: S101  (ours: `is_soft` says so)
        counted = WeightedNgrams(ids, spec, vocab)
        record = record_documents(
            texts
        )  # by EM the documents of all classes, with whatever weight, reach each model

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
    """The models of the classes, with a law of the length where there is a `stop`, and mixed with the model of all."""
    if stop is not None:
        ending = GeometricVocab(lms[0].vocab)
        lms = [geometric(lm, stop, ending) for lm in lms]
        pooled = None if pooled is None else geometric(pooled, stop, ending)
    if pooled is None:
        return tuple(lms)
    mixed = [interpolate([lm, pooled], [1 - background, background]) for lm in lms]
    return tuple(mixed)


def split_class_model(lm: LM) -> tuple[LM, float | None, LM | None]:
    """What `assembled` made a model of: the class's own, the law of the length, the model of all."""
    own, pooled = lm.lms if isinstance(lm, Interpolation) else (lm, None)
    if isinstance(own, Geometric):
        return own.lm, own.stop, pooled.lm if isinstance(pooled, Geometric) else None
    return own, None, pooled


def fit_behind_prefixes(texts: Texts, prefixes: Sequence[str | bytes], spec: Spec) -> Fitter:
    """One model for all classes, fitted to every text behind the prefix of its class."""

    def one(weights: Weights) -> tuple[LM, ...]:
        whole = [concatenate(prefixes[c], texts[i]) for i, c in zip(*np.nonzero(weights))]
        return (fit(whole, spec),)

    return one


def concatenate(prefix: str | bytes, text: str | bytes) -> str | bytes:
    """One after the other, as str where both are."""
    if isinstance(prefix, str) and isinstance(text, str):
        return prefix + text
    return to_bytes(prefix) + to_bytes(text)


def is_soft(spec: object) -> bool:
    """Whether a spec can be fitted to fractional counts."""
    return isinstance(spec, NgramSpec) and spec.smoothing == "additive"


def with_vocab(spec: Spec, texts: Texts, length: Length) -> Spec:
    """The spec with its vocabulary made from all texts: one class may have letters that another has not."""
    if not isinstance(spec, NgramSpec | TransformerSpec):
        raise BadValue(f"spec: expected NgramSpec(…), TransformerSpec(…) or an LM, found {spec!r:.60}", None)
    if length == "shared":
        if isinstance(spec.vocab, Vocab) and spec.vocab.end is not None:
            raise BadValue(
                "vocab: expected one without EOS for length='shared', which ends texts by a law of its own, found "
                "one with it",
                "make it with end=False",
            )
        spec = replace(spec, end=False)
    changes: dict[str, Any] = {"vocab": vocab_for(spec.vocab, texts, spec.end)}
    return replace(spec, **changes)


def estimate_stop(lengths: Sequence[int]) -> float:
    """q of the geometric law of all lengths: (N + 1) / (N + Σ lengths + 2), Laplace's, so that none is impossible."""
    return (len(lengths) + 1) / (len(lengths) + sum(lengths) + 2)
