"""pofx corpus: check whether documents are independent draws from one distribution."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from pofx.cli.options import arguments
from pofx.cli.options.layout import Layout, layout_options, tally
from pofx.cli.options.model import ModelOptions, optional_model
from pofx.cli.options.numbers import Real, Whole
from pofx.cli.options.pages import write_page
from pofx.cli.options.written import Verb, Written
from pofx.cli.output.table_file import write_table

if TYPE_CHECKING:
    from pofx.corpus.documents import Document
    from pofx.queries.corpus_audit.record import CorpusFlags


@click.command(cls=Verb, short_help="Check whether documents are independent draws of one p.")
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--held-out",
    type=Real(0, 1),
    help="Share of documents to hold out, chosen by a hash of their text (default 0.1).",
)
@click.option(
    "--test",
    "test_files",
    multiple=True,
    metavar="FILE",
    help="Held-out documents (repeatable), instead of a share of FILES.",
)
@click.option(
    "--cluster",
    metavar="FIELD",
    help="jsonl, csv, parquet: documents with the same value of FIELD, such as one author's, count as "
    "dependent.",
)
@click.option(
    "--scored",
    type=Whole(1),
    default=1000,
    show_default=True,
    metavar="N",
    help="Maximum number of documents over which L(θ) is averaged.",
)
@click.option(
    "--seed",
    type=Whole(),
    default=0,
    show_default=True,
    help="Seed of the shuffles and of the draws.",
)
@click.option(
    "-o",
    "--out",
    type=Written(),
    metavar="FILE",
    help="Write one row per document to a .csv, .tsv, .jsonl (also .gz, .zst), .parquet or .arrow file: of which document "
    "it is a copy or a near copy, and whether it begins mid-way.",
)
@click.option("--strict", is_flag=True, help="End with exit code 1 if a check failed.")
@layout_options
@optional_model(
    "A directory, a .gguf or .arpa file, a hub id, 'smollm2' or 'builtin'; without it, an n-gram is fitted."
)
@arguments.json_option
@arguments.html_option
def command(
    files: tuple[str, ...],
    held_out: float | None,
    test_files: tuple[str, ...],
    cluster: str | None,
    scored: int,
    seed: int,
    out: str | None,
    strict: bool,
    layout: Layout,
    options: ModelOptions | None,
    as_json: bool,
    html_path: str | None,
) -> None:
    """Check what maximum likelihood assumes: the documents of FILES are independent draws of one p, from x0 to EOS.

    The checks look for copies, within FILES and between the fitted and the held-out part. They compare the order of
    the documents with shuffles, and measure how much a document tells of the next one. They estimate the effective
    number of documents, and L(θ) with an interval. They find documents that start mid-way. Without -m, a byte 5-gram
    is fitted to the documents that are not held out, and scores the others.

    \b
    pofx corpus corpus.txt
    pofx corpus train.jsonl --test test.jsonl --cluster author --json
    pofx corpus web.jsonl -o flags.parquet
    pofx corpus novel.txt --separator "\\n\\n" -m smollm2 --scored 100
    """
    from pofx.corpus.empty_input import no_documents_in
    from pofx.corpus.writing import target_of
    from pofx.cross_fitting.assumptions import corpus_report

    if out is not None:
        target_of(out)  # a name without a format is refused before any work
    if test_files and held_out is not None:
        raise click.UsageError("expected --held-out or --test, got both.")
    keep = () if cluster is None else (cluster,)
    found = layout.documents(files, keep)
    documents: list[Document] = list(found)
    tally(found)
    if not documents:
        raise no_documents_in(files)
    aside: float | list[Document] = 0.1 if held_out is None else held_out
    if test_files:
        tests = layout.documents(test_files, keep)
        aside = list(tests)
        tally(tests)
        if not aside:
            raise no_documents_in(test_files, " held out")
    flags: list[CorpusFlags] = []
    lm = None if options is None else options.load()
    both = [*documents, *(aside if isinstance(aside, list) else [])]
    with _stages() as tell:
        report = corpus_report(
            documents,
            lm,
            held_out=aside,
            clusters=None if cluster is None else _labels(both, cluster),
            scored=scored,
            seed=seed,
            progress=tell,
            flags=flags.append,
        )
    if out is not None:
        _write(flags[0], out)
    if html_path:
        from pofx.report.html.page import Section, corpus_block

        title = "Are the documents independent draws of one p?"
        model = report.loss.model if options is None else options.name
        write_page(html_path, title, [Section(title, (corpus_block(report),))], [(model, lm)])
    if as_json:
        from pofx.report.json_records import corpus_record, dumps

        click.echo(dumps(corpus_record(report)))
    else:
        from rich.console import Console

        from pofx.report.terminal.corpus import checks_table, corpus_headline

        console = Console()
        console.print(corpus_headline(report))
        console.print(checks_table(report))
    if strict and report.verdict == "fail":
        click.get_current_context().exit(1)


def _write(flags: CorpusFlags, out: str) -> None:
    from pofx.corpus.writing import Column

    columns = (
        Column("id", "text"),
        Column("held_out", "bool"),
        Column("copy_of", "text"),
        Column("near_copy_of", "text"),
        Column("begins_midway", "bool"),
    )
    write_table(columns, flags.rows(), out)


def _labels(documents: list[Document], field: str) -> list[str | int]:
    """Return the value of a field for each document; a document without the field gets a value of its own."""
    from pofx.corpus.readers.labels import labels_of

    values = labels_of([d.kept[0] for d in documents])
    if documents and all(value is None for value in values):
        raise click.UsageError(f"--cluster: expected a field that documents have, got none named '{field}'.")
    return [k if v is None else v for k, v in enumerate(values)]


@contextmanager
def _stages() -> Iterator[Callable[[str], None]]:
    """Show the stage of the work on a terminal, since a large model may take minutes."""
    if not sys.stderr.isatty():
        yield lambda stage: None
        return
    from rich.console import Console

    with Console(stderr=True).status("reading …") as status:
        yield lambda stage: status.update(f"{stage} …")
