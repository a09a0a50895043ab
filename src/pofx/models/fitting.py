"""Fitting: from documents to the distribution that makes them likeliest, L(θ) = −(1/N) Σ_n log p_θ(xⁿ)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pofx.errors import BadValue, no_documents
from pofx.lm.model import LM
from pofx.models.specs import NgramSpec, TransformerSpec
from pofx.vocab.spec import vocab_for

Spec = NgramSpec | TransformerSpec


def fit(
    documents: Iterable[str | bytes],
    spec: Spec = NgramSpec(),
    *,
    validation: Iterable[str | bytes] | None = None,
    progress: Callable[[Any], None] | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
) -> LM:
    """The model of a family that minimises L(θ) = −(1/N) Σ_n log p_θ(xⁿ), nats per document, EOS counted.

    documents: texts, the units of the i.i.d. assumption; each is wrapped as x0 … EOS. An n-gram over bytes reads
    them once, as a stream. The rest applies to the transformer: validation texts choose the best weights (none:
    one document in twenty, by hash); progress is called with a `FitProgress` at every step; checkpoint is a file
    written now and then, from which `resume=True` goes on.

    `BadSource` for no documents at all. Right: `fit(documents("corpus.txt"))`. Wrong: `fit("corpus.txt")`, a name
    is not an iterable of documents.
    """
    if isinstance(documents, str | bytes):
        raise BadValue(
            "documents: expected an iterable of texts, found one text", "write documents(path) or [text]"
        )
    if isinstance(spec, NgramSpec):
        return _fit_ngram(documents, spec)
    if isinstance(spec, TransformerSpec):
        kept = None if validation is None else list(validation)
        return _fit_transformer(list(documents), spec, kept, progress, checkpoint, resume)
    raise BadValue(f"spec: expected NgramSpec(…) or TransformerSpec(…), found {spec!r}", None)


def _fit_ngram(documents: Iterable[str | bytes], spec: NgramSpec) -> LM:
    from pofx.lm.fitted_documents import DocumentRecorder
    from pofx.models.ngram.model import fit_ngram

    streams = spec.vocab == "bytes" or not isinstance(spec.vocab, str)
    texts = documents if streams else list(documents)
    vocab = vocab_for(spec.vocab, () if streams else texts, spec.end)
    recorder = DocumentRecorder()
    lm = fit_ngram((vocab.encode_array(text) for text in recorder.record(texts)), spec, vocab)
    if not recorder.documents:
        raise no_documents()
    return lm.with_info(fitted=(recorder.finish(),))


def _fit_transformer(
    texts: list[str | bytes],
    spec: TransformerSpec,
    validation: list[str | bytes] | None,
    progress: Callable[[Any], None] | None,
    checkpoint: str | Path | None,
    resume: bool,
) -> LM:
    from pofx.corpus.documents import split_documents
    from pofx.lm.fitted_documents import DocumentRecorder, record_documents

    if not texts:
        raise no_documents()
    vocab = vocab_for(spec.vocab, texts, spec.end)
    if validation is None:
        texts, validation = split_documents(texts, held_out=0.05)
        if not texts:
            texts, validation = validation, []
    from pofx.models.transformer.training import train

    recorder = DocumentRecorder()
    lm = train(
        vocab.encode_many(list(recorder.record(texts))),
        spec,
        vocab,
        validation=vocab.encode_many(validation),
        progress=progress,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        resume=resume,
    )
    own = replace(recorder.finish(), validation=record_documents(validation).codes)
    return lm.with_info(fitted=(own,))
