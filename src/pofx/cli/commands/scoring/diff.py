"""pofx diff: two models on the same texts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from pofx.cli.options import arguments
from pofx.cli.options.layout import CountedDocuments, Layout, layout_options, tally
from pofx.cli.options.model import ModelName, ModelOptions
from pofx.cli.options.numbers import Whole
from pofx.cli.options.written import Verb, Written
from pofx.cli.output.table_file import write_table
from pofx.cli.output.terms import print_line

if TYPE_CHECKING:
    from pofx.lm.model import LM
    from pofx.queries.difference.diff import Gathered


@click.command(cls=Verb, short_help="Compare two models on the same texts.")
@click.argument("files", nargs=-1, required=True)
@click.option(
    "-m",
    "--model",
    "names",
    type=ModelName(),
    multiple=True,
    required=True,
    metavar="MODEL",
    help="A directory, a .gguf or .arpa file, a hub id, 'smollm2' or 'builtin'; give two.",
)
@click.option(
    "--begin",
    "begins",
    multiple=True,
    metavar="TOKEN",
    help="Use TOKEN as x0: once for both models, or once for each model in their order.",
)
@click.option(
    "--dtype",
    "dtypes",
    type=click.Choice(["float32", "bfloat16"]),
    multiple=True,
    help="The dtype of pretrained weights: once for both models, or once for each; float32 by default.",
)
@click.option(
    "--most",
    type=Whole(0),
    default=10,
    show_default=True,
    help="The number of texts, words and tokens to name on which the models differ most.",
)
@click.option(
    "--seed", type=Whole(0), default=0, show_default=True, help="The seed of the bootstrap of texts."
)
@click.option(
    "-o",
    "--out",
    type=Written(),
    metavar="FILE",
    help="Write a row for each text to a .csv, .tsv, .jsonl (also .gz, .zst) or .parquet file.",
)
@layout_options
@arguments.json_option
def command(
    files: tuple[str, ...],
    names: tuple[str, ...],
    begins: tuple[str, ...],
    dtypes: tuple[str, ...],
    most: int,
    seed: int,
    out: str | None,
    layout: Layout,
    as_json: bool,
) -> None:
    """Compare two models A and B on the same texts: log p_A(x) - log p_B(x), and KL(A||B) a token.

    Each model reads each text once. KL needs two models of one vocabulary. Other models are compared between the bytes at
    which both cut a text. Exit code 1 if some documents could not be compared.

    \b
    pofx diff texts.txt -m model -m other
    pofx diff texts.txt -m smollm2 -m smollm2 --dtype float32 --dtype bfloat16
    """
    from pofx.queries.difference.diff import Gathered

    if len(names) != 2:
        raise click.UsageError(f"-m: expected two models, got {len(names)}; give -m twice.")
    for flag, given in (("--begin", begins), ("--dtype", dtypes)):
        if len(given) > 2:
            raise click.UsageError(f"{flag}: expected at most one for each of two models, got {len(given)}.")
    lms = [
        ModelOptions(
            name,
            begins[min(i, len(begins) - 1)] if begins else None,
            None,
            dtypes[min(i, len(dtypes) - 1)] if dtypes else "float32",
            None,
            None,
            None,
        ).load()
        for i, name in enumerate(names)
    ]
    found = layout.documents(files)
    gathered = Gathered(most, seed)
    bad: list[str] = []
    rows = _compared(lms, found, gathered, bad)
    if out is None:
        ids = _first_ids(rows)
    else:
        ids = []
        write_table(_columns(), _kept(rows, ids), out)
    tally(found)
    record = gathered.result()
    if as_json:
        from pofx.report.difference_records import difference_record
        from pofx.report.json_records import dumps

        click.echo(dumps(difference_record(record, names, ids)))
    else:
        from rich.console import Console

        from pofx.report.terminal.difference import difference_lines, places_table, texts_table

        for name, terms in zip(names, record.terms):
            print_line(name, terms)
        console = Console(highlight=False)
        for line in difference_lines(record):
            console.print(line, markup=False)
        if most:
            console.print(texts_table(record, ids, most))
            console.print(places_table("word", record.words, ids))
            console.print(places_table("token or bytes", record.regions, ids))
    if bad or found.records.n_bad:
        click.get_current_context().exit(1)


def _compared(
    lms: list[LM], found: CountedDocuments, gathered: Gathered, bad: list[str]
) -> Iterator[dict[str, Any]]:
    """Compare the documents, block by block, and yield the row of each."""
    from pofx.errors import PofxError
    from pofx.queries.difference.diff import TOGETHER
    from pofx.queries.difference.text_difference import text_differences

    source = iter(found)
    while block := list(islice(source, TOGETHER)):
        try:
            pairs = list(zip(block, text_differences(lms[0], lms[1], [d.text for d in block])))
        except PofxError:
            # One text of the block is refused; the others count.
            pairs = []
            for d in block:
                try:
                    pairs.append((d, text_differences(lms[0], lms[1], [d.text])[0]))
                except PofxError as e:
                    bad.append(d.id)
                    found.bad.failed(f"{d.source}:{d.line}", e)
        for d, one in pairs:
            gathered.add(one)
            laws = one.laws
            yield {
                "id": d.id,
                "bytes": int(one.edges[-1, 1]) if len(one.edges) else 0,
                "tokens": None if laws is None else len(laws.kl),
                "a_nats": one.total_a,
                "b_nats": one.total_b,
                "difference_nats": float(one.differences.sum()),
                "kl_nats": None if laws is None else float(laws.kl.sum()),
                "kl_back_nats": None if laws is None else float(laws.kl_back.sum()),
            }


def _columns() -> list[Any]:
    from pofx.corpus.writing import Column

    numbers = ("a_nats", "b_nats", "difference_nats", "kl_nats", "kl_back_nats")
    return [
        Column("id", "text"),
        Column("bytes", "int"),
        Column("tokens", "int"),
        *(Column(n, "float") for n in numbers),
    ]


def _first_ids(rows: Iterator[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def _kept(rows: Iterator[dict[str, Any]], ids: list[str]) -> Iterator[dict[str, Any]]:
    for row in rows:
        ids.append(row["id"])
        yield row
