"""pofx filter fit: fit a model of each language, and find the bounds of bits per byte in a sample."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pofx.cli.options import arguments
from pofx.cli.options.classify_input import prior_of
from pofx.cli.options.filter_page import judged, write_filter_page
from pofx.cli.options.layout import Layout, layout_options, tally
from pofx.cli.options.ngram import check_alpha, ngram_options, vocab_option
from pofx.cli.options.numbers import Real
from pofx.cli.options.written import Values, Verb, Written
from pofx.cli.output.filter_report import print_filter

if TYPE_CHECKING:
    from pofx.corpus.documents import Document


def _finished(out: Path, values: Values) -> bool:
    from pofx.filtering.files import CARD

    return (out / CARD).is_file()


@click.command(cls=Verb, numbers="Fit", short_help="Fit a filter to a sample.")
@click.argument("files", metavar="SAMPLE...", nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    required=True,
    type=Written(dir_okay=True, finished=_finished),
    metavar="DIR",
    help="Directory of the saved filter.",
)
@click.option(
    "--language",
    "languages",
    multiple=True,
    metavar="NAME=FILE",
    help="Fit the model of a language to this file (repeatable). Without it, SAMPLE is one language.",
)
@click.option(
    "--language-field",
    metavar="NAME",
    help="jsonl, csv, parquet: the field of SAMPLE that names the language of each document.",
)
@click.option(
    "--good",
    multiple=True,
    metavar="FILE",
    help="Documents to keep (repeatable): find the bounds by labels, with --bad.",
)
@click.option("--bad", multiple=True, metavar="FILE", help="Documents not to keep (repeatable), with --good.")
@click.option(
    "--quantiles",
    nargs=2,
    type=Real(0, 1),
    default=(0.0, 0.9),
    show_default=True,
    metavar="LOW HIGH",
    help="Keep documents whose bits per byte lie between these quantiles of SAMPLE.",
)
@click.option(
    "--normaliser",
    type=click.Choice(["pofx", "ccnet", "none"]),
    default="pofx",
    show_default=True,
    help="The steps before a model reads a text. pofx: Unicode form NFC and plain white space; ccnet: also lower case, no "
    "accents, digits as 0, ASCII marks.",
)
@click.option(
    "--held-out",
    type=Real(0, 1),
    default=0.2,
    show_default=True,
    help="Share of documents that no model is fitted on, chosen by a hash of their text.",
)
@click.option(
    "--reject",
    type=Real(0, 1, below=True),
    default=0.005,
    show_default=True,
    metavar="SHARE",
    help="Reject outliers as of no known language. About this share of ordinary texts, at most, is rejected too.",
)
@click.option(
    "--least-posterior",
    type=Real(0, 1),
    default=0.5,
    show_default=True,
    metavar="P",
    help="Reject texts whose language has a smaller posterior.",
)
@click.option(
    "--prior", metavar="PRIOR", help="P(language): uniform (default), empirical, or NAME=P,NAME=P,…"
)
@ngram_options()
@vocab_option()
@layout_options
@arguments.json_option
@arguments.html_option
def fit(
    files: tuple[str, ...],
    out: str,
    languages: tuple[str, ...],
    language_field: str | None,
    good: tuple[str, ...],
    bad: tuple[str, ...],
    quantiles: tuple[float, float],
    normaliser: str,
    held_out: float,
    reject: float,
    least_posterior: float,
    prior: str | None,
    order: int,
    smoothing: str,
    alpha: float,
    vocab: str,
    layout: Layout,
    as_json: bool,
    html_path: str | None,
) -> None:
    """Fit a model of each language, and find the bounds of bits per byte within which documents are kept.

    The bounds are quantiles of SAMPLE, or, with --good and --bad, those that part good from bad documents best. Documents on
    which a model was fitted are left out of the quantiles.
    """
    from pofx.files.directory import check_output_directory
    from pofx.filtering.files import save_filter
    from pofx.filtering.fitting import fit_filter
    from pofx.models.specs import NgramSpec

    if languages and language_field:
        raise click.UsageError("--language-field: expected only without --language, got both; leave one out.")
    if bool(good) != bool(bad):
        raise click.UsageError("--good, --bad: expected both or neither, got one of the two; name the other.")
    if good and arguments.typed("quantiles"):
        raise click.UsageError(
            "--quantiles: expected only without --good and --bad, got both; leave one out."
        )
    check_alpha(smoothing)
    check_output_directory(out, "quality.json", "filter")
    documents = _read(files, layout, language_field)
    named = _named(languages, layout) if languages else None
    if language_field is not None:
        from pofx.corpus.readers.labels import labels_of

        named = {}
        for document, label in zip(documents, labels_of([d.kept[0] for d in documents])):
            if label is not None:
                named.setdefault(label, []).append(document.text)
        if not named:
            raise click.UsageError(
                f"--language-field: expected a field that documents have, got {language_field!r}; check the name."
            )
    spec = NgramSpec(order, smoothing, alpha, vocab)
    asked = "uniform" if prior is None else prior_of(prior)
    quality = fit_filter(
        [d.text for d in documents],
        named,
        spec=spec,
        normaliser=normaliser,
        quantiles=quantiles,
        good=[d.text for d in _read(good, layout)] if good else None,
        bad=[d.text for d in _read(bad, layout)] if bad else None,
        held_out=held_out,
        reject=reject,
        least_posterior=least_posterior,
        prior=asked,
    )
    save_filter(quality, out)
    print_filter(quality, out, as_json)
    if html_path:
        write_filter_page(html_path, quality, judged(quality, documents), out)


def _read(files: tuple[str, ...], layout: Layout, field: str | None = None) -> list[Document]:
    """Return the documents of files, each with the value of the field `field`, if one is named."""
    from pofx.corpus.empty_input import no_documents_in

    found = layout.documents(files, () if field is None else (field,))
    documents = list(found)
    tally(found)
    if not documents:
        raise no_documents_in(files)
    return documents


def _named(pairs: tuple[str, ...], layout: Layout) -> dict[str, list[str]]:
    """Return the documents of each language; a language may have several files."""
    files: dict[str, list[str]] = {}
    for pair in pairs:
        name, sign, path = pair.partition("=")
        if not (sign and name and path):
            raise click.UsageError(
                f"--language: expected NAME=FILE, got {pair!r}; write a name, =, and a file."
            )
        files.setdefault(name, []).append(path)
    return {name: [d.text for d in _read(tuple(paths), layout)] for name, paths in files.items()}
