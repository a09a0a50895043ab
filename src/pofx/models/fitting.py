"""Fitting: the model of a family that makes given documents likeliest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pofx.errors import Advice, BadValue, no_documents
from pofx.lm.model import LM
from pofx.models.specs import MixingSpec, NgramSpec, TransformerSpec
from pofx.ray_session import check_ray
from pofx.values import check_whole_number
from pofx.vocab.spec import vocab_for

# The specs of models with a vocabulary of the caller's choice, which the models of classes share.
VocabSpec = NgramSpec | TransformerSpec
Spec = VocabSpec | MixingSpec


# The seed differs from the seeds that callers use, since the hash of a document decides its side. Of documents that
# `split_documents` left by seed 0, the same seed would hold out none, and early stopping was then silently off.
VALIDATION_SEED = 0x5EED
MOST_WORKERS = 1024


def fit(
    documents: Iterable[str | bytes],
    spec: Spec = NgramSpec(),
    *,
    validation: Iterable[str | bytes] | None = None,
    progress: Callable[[Any], None] | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    workers: int = 1,
    ray: str | None = None,
) -> LM:
    """Fit the model of a family to documents by minimising the loss, nats a document, EOS counted.

        L(θ) = −(1/N) Σ_n log p_θ(xⁿ)

    Args:
        documents: The texts, which are the units of the i.i.d. assumption. The fit puts x0 before and EOS after each. An
            n-gram over bytes reads the documents once, as a stream.
        spec: The family and its sizes: an `NgramSpec`, a `MixingSpec` or a `TransformerSpec`.
        validation: Texts by whose loss the best weights of a transformer are chosen. By default one document in twenty is
            taken from `documents`, by its hash.
        progress: A function that is called with a `FitProgress` at every step of a transformer.
        checkpoint: A file to which the state of a transformer's fit is written every 30 seconds, and at its end.
        resume: Whether to continue the fit that `checkpoint` holds.
        workers: How many processes share each step of a transformer, this process included. The steps are those of one
            process, up to rounding.
        ray: Where the other workers are: None for this machine; "local" for actors of a Ray on this machine; "HOST:PORT" or
            "auto" for actors of a Ray cluster that this machine is a node of.

    Returns:
        The model, with a record of its documents in `fitted`.

    Raises:
        BadSource: There are no documents, the checkpoint is damaged, or there is no such Ray.
        BadValue: `documents` is one text, `spec` is no spec, the checkpoint is of another fit, a process of the fit ended,
            or `ray` is no address or has no worker.
        Interrupted: Ctrl-C or SIGTERM came between two steps of a transformer.
        MissingExtra: Ray is missing.

    Right: `pofx.fit(pofx.documents("corpus.txt"), pofx.NgramSpec(order=4))`. Wrong: `pofx.fit("corpus.txt")`, since the name
    of a file is no iterable of documents.
    """
    if isinstance(documents, str | bytes):
        raise BadValue(
            "expected an iterable of texts, got one text",
            "write documents(path) or [text]",
            argument="documents",
        )
    workers = check_whole_number("workers", workers, 1, MOST_WORKERS)
    if ray is not None:
        check_ray(ray)
        if not isinstance(spec, TransformerSpec) or workers == 1:
            raise BadValue(
                "expected a Ray for a transformer with at least 2 workers, got "
                f"{'1 worker' if isinstance(spec, TransformerSpec) else _kind(spec)}",
                Advice("leave Ray out", "ray=None", "no --ray"),
                argument="ray",
            )
    if isinstance(spec, NgramSpec | MixingSpec):
        if workers > 1:
            raise BadValue(
                f"expected 1 for {_kind(spec)} in memory, got {workers}",
                "leave workers out",
                argument="workers",
            )
        return _fit_mixing(documents, spec) if isinstance(spec, MixingSpec) else _fit_ngram(documents, spec)
    if isinstance(spec, TransformerSpec):
        kept = None if validation is None else list(validation)
        return _fit_transformer(list(documents), spec, kept, progress, checkpoint, resume, workers, ray)
    raise BadValue(
        f"expected NgramSpec(…), MixingSpec(…) or TransformerSpec(…), got {spec!r}",
        "pass a spec",
        argument="spec",
    )


def _kind(spec: Spec) -> str:
    return "a mixing model" if isinstance(spec, MixingSpec) else "an n-gram"


def _fit_mixing(documents: Iterable[str | bytes], spec: MixingSpec) -> LM:
    from pofx.errors import require
    from pofx.lm.fitted_documents import DocumentRecorder
    from pofx.vocab.vocabulary import ByteVocab

    require("numba", "compress", "a mixing model")
    from pofx.models.mixing.model import fit_mixing

    recorder, vocab = DocumentRecorder(), ByteVocab()
    ids = [vocab.encode_array(text) for text in recorder.record(documents)]
    if not ids:  # before anything is compiled
        raise no_documents()
    return fit_mixing(ids, spec).with_info(fitted=(recorder.finish(),))


def _fit_ngram(documents: Iterable[str | bytes], spec: NgramSpec) -> LM:
    from pofx.lm.fitted_documents import DocumentRecorder
    from pofx.models.ngram.model import fit_ngram

    streams = spec.vocab == "bytes" or not isinstance(spec.vocab, str)
    texts = documents if streams else list(documents)
    vocab = vocab_for(spec.vocab, () if streams else texts, spec.end)
    recorder = DocumentRecorder()
    ids = (vocab.encode_array(text) for text in recorder.record(texts))
    lm: LM
    if spec.order is None:
        from pofx.models.ngram.unbounded.model import fit_unbounded

        lm = fit_unbounded(ids, spec, vocab)
    else:
        lm = fit_ngram(ids, spec, vocab)
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
    workers: int,
    ray: str | None,
) -> LM:
    from pofx.corpus.split import split_documents
    from pofx.lm.fitted_documents import DocumentRecorder, record_documents

    if not texts:
        raise no_documents()
    vocab = vocab_for(spec.vocab, texts, spec.end)
    if validation is None:
        texts, validation = split_documents(texts, held_out=0.05, seed=VALIDATION_SEED)
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
        workers=workers,
        ray=ray,
    )
    own = replace(recorder.finish(), validation=record_documents(validation).codes)
    return lm.with_info(fitted=(own,))
