"""pofx diff: two models on the same texts."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from pofx.cli.options import arguments
from pofx.cli.options.compared_models import compared_models
from pofx.cli.options.layout import CountedDocuments, Layout, layout_options, tally
from pofx.cli.options.model import CONTEXT, STRIDE, ModelOptions
from pofx.cli.options.numbers import Whole
from pofx.cli.options.pages import write_page
from pofx.cli.options.written import Verb, Written
from pofx.cli.output.table_file import write_table
from pofx.cli.output.terms import print_line

if TYPE_CHECKING:
    from pofx.corpus.documents import Document
    from pofx.lm.model import LM
    from pofx.queries.difference.diff import Difference, Gathered


@click.command(cls=Verb, short_help="Compare two models on the same texts.")
@click.argument("files", nargs=-1, required=True)
@compared_models("; give two")
@click.option(
    "--begin",
    "begins",
    multiple=True,
    metavar="TOKEN",
    help="Use TOKEN as x0: once for the models without x0, or once for each model in their order, where '' keeps its x0.",
)
@click.option(
    "--dtype",
    "dtypes",
    type=click.Choice(["float32", "bfloat16", "int8"]),
    multiple=True,
    help="The dtype of pretrained weights: once for both models, or once for each; float32 by default.",
)
@CONTEXT
@STRIDE
@click.option(
    "--by",
    type=click.Choice(["tokens", "bytes"]),
    default="tokens",
    show_default=True,
    help="tokens: each model's own spelling of a text; bytes: strings, as sums over the tokenisations of a text.",
)
@click.option(
    "--beam",
    type=Whole(1),
    metavar="N",
    help="With --by bytes: number of partial tokenisations that are kept at each byte; by default all of an n-gram, and "
    "of other models 16, or 7 for vocabularies of more than 10,000 tokens.",
)
@click.option(
    "--most",
    type=Whole(0),
    default=10,
    show_default=True,
    help="Name so many texts, words and tokens, those on which the models differ most.",
)
@click.option(
    "--seed", type=Whole(0), default=0, show_default=True, help="The seed of the bootstrap of texts."
)
@click.option(
    "-o",
    "--out",
    type=Written(),
    metavar="FILE",
    help="Write a row for each text to a .csv, .tsv, .jsonl (also .gz, .zst), .parquet or .arrow file.",
)
@layout_options
@arguments.json_option
@arguments.html_option
def command(
    files: tuple[str, ...],
    names: tuple[str, ...],
    begins: tuple[str, ...],
    dtypes: tuple[str, ...],
    context: int | None,
    stride: int | None,
    by: str,
    beam: int | None,
    most: int,
    seed: int,
    out: str | None,
    layout: Layout,
    as_json: bool,
    html_path: str | None,
) -> None:
    """Compare two models A and B on the same texts: log p_A(x) - log p_B(x), and KL(A||B) a token.

    Each model reads each text once. KL needs two models of one vocabulary. Other models are compared between the bytes at
    which both cut a text, or as distributions over strings (--by bytes), with bounds. Exit code 1 if some documents could
    not be compared.

    \b
    pofx diff texts.txt -m model -m other
    pofx diff texts.txt -m model -m smollm2 --begin "<|endoftext|>" --by bytes
    pofx diff texts.txt -m smollm2 -m smollm2 --dtype float32 --dtype bfloat16
    """
    from pofx.queries.difference.diff import Gathered
    from pofx.queries.difference.text_difference import refuse_incomparable

    if len(names) != 2:
        raise click.UsageError(f"-m: expected two models, got {len(names)}; give -m twice.")
    for flag, given in (("--begin", begins), ("--dtype", dtypes)):
        if len(given) > 2:
            raise click.UsageError(f"{flag}: expected at most one for each of two models, got {len(given)}.")
    if beam is not None and by != "bytes":
        raise click.UsageError(f"--beam: expected only with --by bytes, got --by {by}. Leave out --beam.")
    lms = [
        _load(
            ModelOptions(
                name, None, None, dtypes[i % len(dtypes)] if dtypes else "float32", context, stride, None
            ),
            begins,
            i,
        )
        for i, name in enumerate(names)
    ]
    refuse_incomparable(lms[0], lms[1])
    if by == "bytes":
        lms = [_over_strings(lm, beam) for lm in lms]
    found = layout.documents(files)
    gathered = Gathered(most, seed)
    bad: list[str] = []
    kept = MostDifferent(most)
    ids: dict[int, str] = {}  # of the texts that the tables name
    rows = _compared(lms, found, gathered, bad, kept, ids)
    if out is None:
        for _ in rows:
            pass
    else:
        write_table(_columns(), rows, out)
    tally(found)
    if bad and not gathered.n:
        click.get_current_context().exit(1)
    record = gathered.result()
    if html_path:  # the page is written first, since a reader that closes the pipe ends the program
        _page(html_path, record, names, lms, ids, kept)
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


def _load(options: ModelOptions, begins: tuple[str, ...], i: int) -> LM:
    """Load model i: a --begin alone is for models without x0, and each of two replaces the x0 of its model."""
    if len(begins) == 2:
        return replace(options, begin=begins[i] or None).load()
    return replace(options, begin=begins[0] if begins else None).load_with_stand_ins()


def _over_strings(lm: LM, beam: int | None) -> LM:
    from pofx.transforms.bytewise.bytewise import bytewise
    from pofx.transforms.given_string import affordable_beam

    return bytewise(lm, affordable_beam(lm) if beam is None else beam)


class MostDifferent:
    """The documents on which two models differ most, which a page shows. Local to one run.

    Args:
        most: The number of documents to keep.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._heap: list[tuple[float, int, Document]] = []

    def add(self, document: Document, n: int, difference: float) -> None:
        """Keep document n if it is among the documents with the largest |log p_A − log p_B|."""
        heapq.heappush(self._heap, (abs(difference), -n, document))
        if len(self._heap) > self.most:
            heapq.heappop(self._heap)

    @property
    def numbers(self) -> set[int]:
        """The numbers of the documents."""
        return {-n for _, n, _ in self._heap}

    @property
    def documents(self) -> list[Document]:
        """The documents, the largest difference first."""
        return [d for _, _, d in sorted(self._heap, key=lambda x: x[:2], reverse=True)]


def _page(
    path: str,
    record: Difference,
    names: tuple[str, ...],
    lms: list[LM],
    ids: Mapping[int, str],
    kept: MostDifferent,
) -> None:
    from pofx.queries.scoring.score import score
    from pofx.report.html.difference_sections import TITLE
    from pofx.report.html.page import Row, difference_sections

    documents = kept.documents
    texts = [d.text for d in documents]
    sections = difference_sections(
        record,
        (names[0], names[1]),
        ids,
        list(zip(score(lms[0], texts), score(lms[1], texts))),
        [Row(d.id) for d in documents],
    )
    write_page(path, TITLE, sections, list(zip(names, lms)))


def _compared(
    lms: list[LM],
    found: CountedDocuments,
    gathered: Gathered,
    bad: list[str],
    kept: MostDifferent,
    ids: dict[int, str],
) -> Iterator[dict[str, Any]]:
    """Compare the documents, block by block, and yield the row of each; keep the ids of texts that differ most."""
    from pofx.errors import PofxError
    from pofx.queries.difference.diff import TOGETHER
    from pofx.queries.difference.text_difference import text_differences

    source, n = iter(found), 0
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
            difference = one.difference
            kept.add(d, n, difference)
            ids[n] = d.id
            n += 1
            laws = one.laws
            yield {
                "id": d.id,
                "bytes": int(one.edges[-1, 1]) if len(one.edges) else 0,
                "tokens": None if laws is None else len(laws.kl),
                "a_nats": one.total_a,
                "b_nats": one.total_b,
                "difference_nats": difference,
                "kl_nats": None if laws is None else float(laws.kl.sum()),
                "kl_back_nats": None if laws is None else float(laws.kl_back.sum()),
                "low_nats": one.bounds[0],
                "high_nats": one.bounds[1],
            }
        named = gathered.named | kept.numbers
        for number in ids.keys() - named:
            del ids[number]


def _columns() -> list[Any]:
    from pofx.corpus.writing import Column

    numbers = ("a_nats", "b_nats", "difference_nats", "kl_nats", "kl_back_nats", "low_nats", "high_nats")
    return [
        Column("id", "text"),
        Column("bytes", "int"),
        Column("tokens", "int"),
        *(Column(n, "float") for n in numbers),
    ]
