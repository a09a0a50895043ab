"""Documents with labels for `pofx classify`: labels from a field of the rows, or one file for each class."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from pofx.cli.options.layout import CountedDocuments, Layout
from pofx.cli.output.notices import left_out
from pofx.corpus.empty_input import no_documents_in
from pofx.corpus.readers.fasttext import LABEL
from pofx.corpus.readers.labels import labels_of
from pofx.errors import BadSource

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pofx.classification.joint import Joint
    from pofx.corpus.documents import Document

label_option = click.option(
    "--label-field",
    metavar="NAME",
    help="jsonl, csv, parquet: the field of the label. Without it, name one file per class: LABEL=FILE …",
)
prior_option = click.option(
    "--prior",
    metavar="PRIOR",
    help="P(class): empirical (the shares counted in training), uniform, or LABEL=P,LABEL=P,…",
)


def read_labelled(
    files: tuple[str, ...], label_field: str | None, layout: Layout, known: Collection[str] = ()
) -> tuple[list[str], list[str | None]]:
    """Return all documents and their labels, as strings; the label is None for null or an empty cell.

    Args:
        files: The arguments of the verb.
        label_field: The field of the label in JSONL, CSV or Parquet; None if each argument is LABEL=FILE, a file a class.
        layout: How documents lie in the files.
        known: The labels of a classifier.
    """
    texts: list[str] = []
    labels: list[Any] = []
    bad = blank = 0
    if label_field is None and layout.format is not None and layout.format.startswith("fasttext"):
        label_field = LABEL
    for label, group in _groups(files, label_field):
        found = _records(group, label_field, layout)
        for document in found:
            texts.append(document.text)
            labels.append(label if label_field is None else _value(document, label_field))
        found.bad.rest()
        if label_field is None and not found.records.n:
            raise no_documents_in(group, f" of the class {label!r}")
        bad += found.records.n_bad
        blank += found.records.n_blank
    left_out(bad, len(texts), blank)
    if not texts:
        raise no_documents_in(files)
    return texts, labels if label_field is None else labels_of(labels, known)


def set_aside(texts: list[str], labels: list[str | None], held_out: float) -> tuple[list[int], list[int]]:
    """Return the places of documents to fit, and of held-out documents, which have labels and leave some of each class."""
    from pofx.corpus.split import split_documents

    aside = set(split_documents(texts, held_out)[1])
    kept = [i for i, text in enumerate(texts) if labels[i] is not None and text in aside]
    left = {labels[i] for i in range(len(texts))} - {labels[i] for i in set(range(len(texts))) - set(kept)}
    kept = [i for i in kept if labels[i] not in left]
    return sorted(set(range(len(texts))) - set(kept)), kept


@dataclass(frozen=True, eq=False)
class Known:
    """The log-likelihoods log p(x | t) of documents with a label, `[n, C]`, nats, the places of their classes, and bytes."""

    log_likelihood: NDArray[np.float64]
    truth: NDArray[np.int64]
    sizes: NDArray[np.int64]


def likelihoods(
    joint: Joint, texts: list[str], labels: list[str | None], some: list[int], places: dict[str, int]
) -> Known:
    """Compute the log-likelihoods of the documents `some` that a class of positive prior can produce.

    A document of probability zero under every class, or one that no class can spell, is left out.
    """
    import numpy as np

    from pofx.classification.bayes import log_evidence
    from pofx.errors import NotText

    def spelled(text: str) -> bool:
        try:
            for vocab in {id(lm.vocab): lm.vocab for lm in joint.lms}.values():
                vocab.encode(text)
        except NotText:
            return False
        return True

    try:
        found = joint.log_likelihood([texts[i] for i in some])
    except NotText:
        some = [i for i in some if spelled(texts[i])]
        found = joint.log_likelihood([texts[i] for i in some])
    possible = np.isfinite(log_evidence(found, joint.log_prior))
    some = [i for i, ok in zip(some, possible) if ok]
    truth = np.array([places[str(labels[i])] for i in some], dtype=np.int64)
    sizes = np.array([len(texts[i].encode()) for i in some], dtype=np.int64)
    return Known(found[possible], truth, sizes)


def split_pairs(pairs: tuple[str, ...], option: str) -> dict[str, str]:
    """Split the values LABEL=TEXT of a repeated option into a mapping."""
    out: dict[str, str] = {}
    for pair in pairs:
        label, sign, what = pair.partition("=")
        if not sign or not label or label in out:
            found = f"{label!r} twice" if label in out else repr(pair)
            raise click.UsageError(f"{option}: expected LABEL=…, each label once, got {found}.")
        out[label] = what
    return out


def prior_of(asked: str) -> Any:
    """Return the prior that a user named: "empirical", "uniform", or a mapping from LABEL=P,LABEL=P,…."""
    if "=" not in asked:
        if asked not in ("empirical", "uniform"):
            raise click.UsageError(f"--prior: expected empirical, uniform or LABEL=P,LABEL=P, got {asked!r}.")
        return asked
    out: dict[str, float] = {}
    for label, number in split_pairs(tuple(asked.split(",")), "--prior").items():
        try:
            out[label] = float(number)
        except ValueError:
            raise click.UsageError(f"--prior: expected a number after {label}=, got {number!r}.") from None
    return out


def _groups(files: tuple[str, ...], label_field: str | None) -> list[tuple[str, tuple[str, ...]]]:
    if label_field is not None:
        return [("", files)]
    groups: dict[str, list[str]] = {}
    for name in files:
        label, sign, path = name.partition("=")
        if not sign or not label or os.path.exists(name):
            raise click.UsageError(
                f"expected LABEL=FILE for each class, or --label-field NAME, got {name!r} without a label."
            )
        groups.setdefault(label, []).append(path)
    return [(label, tuple(paths)) for label, paths in groups.items()]


def _records(files: tuple[str, ...], label_field: str | None, layout: Layout) -> CountedDocuments:
    from pofx.corpus.source import expand_path, source_of

    sources = (source_of(f, layout.format) for p in files for f in expand_path(p, layout.format).files)
    if label_field is not None and any(s.format == "txt" for s in sources):
        raise click.UsageError(
            "--label-field: expected files with fields (jsonl, json, csv, tsv, parquet), got txt; write LABEL=FILE "
            "instead, a file for each class."
        )
    return layout.documents(files, () if label_field is None else (label_field,))


def _value(document: Document, label_field: str) -> str | int | float | Decimal | None:
    value = document.kept[0]
    if isinstance(value, str | int | float | Decimal) or value is None:
        return value
    found = f"{len(value)} labels" if isinstance(value, list) else type(value).__name__
    raise BadSource(
        f"{document.source}:{document.line}: expected a label (a string or a number) in field "
        f"{label_field!r}, got {found}",
        "name another field, or keep one label in each row",
    )
