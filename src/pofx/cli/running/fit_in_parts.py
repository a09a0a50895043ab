"""The fit of an n-gram in bounded memory, by several processes: `pofx fit` with --workers or --memory."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from pofx.cli.options.layout import Layout, tally

if TYPE_CHECKING:
    from pofx.models.ngram.external.fit import ExternalFit
    from pofx.models.specs import NgramSpec

DEFAULT_MEMORY = 2 << 30


@dataclass(frozen=True)
class FittedInParts:
    """A fit in parts that is done, and saved.

    Attributes:
        fit: What the fit read.
        held_out: The documents that were held out.
        seconds: The time of the fit.
    """

    fit: ExternalFit
    held_out: list[str]
    seconds: float


def fit_in_parts(
    spec: NgramSpec,
    named: tuple[str, ...],
    layout: Layout,
    held_out: float,
    out: str,
    memory: int | None,
    workers: int | None,
) -> FittedInParts:
    """Fit an n-gram and save it; the documents are read twice, first for those that are held out.

    Args:
        spec: The spec.
        named: The files, as the user named them.
        layout: How they are read.
        held_out: The share of documents to hold out.
        out: The directory of the model.
        memory: About how many bytes all processes may take together; None for 2 GiB.
        workers: How many processes count; None for this process alone.

    Returns:
        The saved fit, and the held-out documents.

    Raises:
        BadSource: There are no documents, or a file cannot be read.
        UsageError: One of the files is standard input.
    """
    from pofx.corpus.empty_input import no_documents_in
    from pofx.corpus.split import is_held_out
    from pofx.jobs.documents import Documents, ReadOptions
    from pofx.jobs.sharded.training import training_units
    from pofx.models.saving import fit_and_save
    from pofx.vocab.spec import vocab_for

    if "-" in named:
        raise click.UsageError(
            "--workers, --memory: expected files, which are read twice, got standard input; name a file."
        )
    found = layout.documents(named)
    kept: list[str] = []
    learned = spec.vocab != "bytes"
    train: list[str] = []  # for a vocabulary that is learned of all documents
    n = 0
    for document in found:
        if is_held_out(document.text, held_out):
            kept.append(document.text)
            continue
        n += 1
        if learned:
            train.append(document.text)
    tally(found)
    if not n and not kept:
        raise no_documents_in(named)
    if not n:
        train, kept, held_out = kept, [], 0.0
    vocab = vocab_for(spec.vocab, train, spec.end)
    del train
    started = time.perf_counter()
    documents = Documents(layout.files(named), ReadOptions(**asdict(layout)))
    units = training_units(documents, held_out, workers or 1)
    fit = fit_and_save(units, spec, vocab, out, memory or DEFAULT_MEMORY, workers or 1)
    return FittedInParts(fit, kept, time.perf_counter() - started)
