"""pofx stimuli: the surprisal of the words in the rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from pofx.cli.commands.scoring.stimuli_page import write_stimulus_page
from pofx.cli.options import arguments
from pofx.cli.options.layout import Layout, table_options
from pofx.cli.options.model import ModelOptions
from pofx.cli.options.named_models import several_models
from pofx.cli.options.numbers import Whole
from pofx.cli.options.pages import note_of
from pofx.cli.options.whole_tables import read_table
from pofx.cli.options.written import Verb, Written

if TYPE_CHECKING:
    from pofx.corpus.whole_table import WholeTable
    from pofx.errors import PofxError
    from pofx.report.html.made import ModelNote
    from pofx.stimuli.frequencies import HasLogFrequency
    from pofx.stimuli.regions import MeasuredText
    from pofx.stimuli.stimulus_fields import StimulusFields


@click.command(cls=Verb, short_help="Give the surprisal of the word or region in each row of a table.")
@click.argument("file")
@click.option(
    "--word",
    "word_field",
    metavar="NAME",
    help="The column of the word, or of the string of a region; by default a known name (word, IA_LABEL, …).",
)
@click.option(
    "--item",
    "item_fields",
    multiple=True,
    metavar="NAME",
    help="A column that names the text of a row; repeatable, since columns may name a text together. By default a known "
    "name (item, Text_ID, …), and condition.",
)
@click.option(
    "--order",
    "order_field",
    metavar="NAME",
    help="The column with the place of the word in its text, a number; by default a known name (zone, Word_Number, IA_ID, "
    "…), else the order of the rows. Rows of one text with one place are readings of one word.",
)
@click.option(
    "--texts",
    "text_files",
    multiple=True,
    metavar="FILE",
    help="A table with every word of the texts, in columns of the same names (repeatable), where FILE lacks words.",
)
@click.option(
    "--join",
    default=" ",
    metavar="TEXT",
    help="The white space between two words; '' where words hold their own spaces or need none.  [default: one space]",
)
@click.option(
    "--attach",
    is_flag=True,
    help="Let words that are punctuation (',' or ')') or a clitic (n't, 's) touch the word beside them.",
)
@arguments.given_option
@click.option("--given-field", metavar="NAME", help="Condition each text on the prefix in this column.")
@click.option(
    "--previous",
    type=Whole(0, 20),
    default=0,
    show_default=True,
    metavar="N",
    help="Also give surprisal, length and frequency of each of the N regions before (spill-over).",
)
@click.option(
    "--frequencies",
    "frequency_files",
    multiple=True,
    metavar="FILE",
    help="Count the words of this corpus (repeatable), for a column log_frequency; or wordfreq:en, the list of a language.",
)
@click.option(
    "--entropy",
    type=click.Choice(["token", "words"]),
    default="token",
    show_default=True,
    help="words: also estimate the entropy of the next word before each region, with its error, by draws of words.",
)
@click.option(
    "-n",
    "draws",
    type=Whole(2),
    default=100,
    show_default=True,
    help="With --entropy words: draw so many words before each region.",
)
@click.option("--seed", type=Whole(0), default=0, show_default=True, help="The seed of the draws.")
@click.option(
    "-o",
    "--out",
    type=Written(),
    metavar="FILE",
    help="Write the rows, with the further columns, to a .csv, .tsv, .jsonl (also .gz, .zst), .parquet or .arrow file.",
)
@click.option(
    "--record",
    type=Written(),
    metavar="FILE",
    help="Write the models, the terms of their numbers and the columns that were read, as JSON.",
)
@click.option(
    "--condition",
    "condition_field",
    metavar="NAME",
    help="The column of the condition, by which the page of --html has its means; by default 'condition' or 'cond'.",
)
@click.option(
    "--region",
    "region_field",
    metavar="NAME",
    help="The column with the name of a region, such as 'verb', for the page of --html; by default a known name (roi, area, "
    "…), else the place of the word.",
)
@table_options
@several_models("With several models, the columns of each begin with NAME.")
@arguments.quiet_option
@arguments.json_option
@arguments.html_option
def command(
    file: str,
    word_field: str | None,
    item_fields: tuple[str, ...],
    order_field: str | None,
    text_files: tuple[str, ...],
    join: str,
    attach: bool,
    given: str,
    given_field: str | None,
    previous: int,
    frequency_files: tuple[str, ...],
    entropy: str,
    draws: int,
    seed: int,
    out: str | None,
    record: str | None,
    condition_field: str | None,
    region_field: str | None,
    layout: Layout,
    models: dict[str, ModelOptions],
    quiet: bool,
    as_json: bool,
    html_path: str | None,
) -> None:
    """Give the surprisal of the word, or region, in each row of a table: -log P(word | the text before).

    A table has a row per word, as studies of reading times have it. The words of a text are joined, and each row of FILE
    comes back in its place with further columns. Surprisals and endings of a text add up to -log p(text). With -o, lines of
    R and Python that fit a regression of the rows are printed. Exit code 1 if some texts have no numbers; their errors are
    in the rows.

    \b
    pofx stimuli items.csv --previous 2 -o surprisals.csv --html surprisals.html
    pofx stimuli times.csv --item Text_ID -m small -m large -o rows.parquet
    pofx stimuli items.tsv --item item --item list --word region -o rows.csv
    """
    from pofx.cli.output.stimulus_rows import (
        about_stimuli,
        give_rows,
        lines_for,
        print_lines,
        tell_stimuli,
        warn_of_punctuation,
    )
    from pofx.stimuli.added_columns import added_columns, renamed_columns
    from pofx.stimuli.regions import measure_regions
    from pofx.stimuli.stimulus_table import StimulusTable
    from pofx.stimuli.stimulus_texts import read_texts_of_rows, tell_lacking

    if out is not None and as_json:
        raise click.UsageError("-o: expected alone, got with --json.")
    if given and given_field:
        raise click.UsageError("expected --given or --given-field, got both.")
    if out is not None:
        from pofx.corpus.writing import target_of

        target_of(out)
    table, fields = _read(file, layout, word_field, item_fields, order_field, given_field)
    condition, region = _page_fields(table.names, fields, condition_field, region_field)
    whole = [row for file in text_files for row in _rows_of_texts(file, layout, fields)]
    texts = read_texts_of_rows(table.rows, fields, join, given, attach, whole)
    if told := tell_lacking(texts):
        click.echo(f"pofx: warning: {told}; name a table of the texts (--texts)", err=True)
    if not attach and join:
        warn_of_punctuation(texts)
    known = _frequencies(frequency_files) if frequency_files else None
    word_draws = draws if entropy == "words" else 0
    measured: dict[str, tuple[MeasuredText | PofxError, ...]] = {}
    notes: dict[str, ModelNote] = {}
    for name, options in models.items():
        lm = options.load() if len(models) == 1 else options.load_with_stand_ins()
        measured[name] = tuple(measure_regions(lm, texts, word_draws, seed))
        if html_path is not None:
            notes[name] = note_of(options.name, lm)
        del lm  # the next model may need its room
    columns = added_columns(len(table.rows), texts, measured, previous, known, word_draws > 0)
    found = StimulusTable(table.rows, columns, tuple(texts), measured, renamed_columns(table.names, columns))
    about = about_stimuli(file, fields, found, {n: o.name for n, o in models.items()})
    give_rows(table, found, out, as_json, about, quiet)
    if record is not None:
        from pofx.report.json_records import dumps

        arguments.write_text(record, dumps(about) + "\n", quiet)
    lines = lines_for(out, table, fields, found) if out is not None else []
    if html_path is not None:
        write_stimulus_page(
            html_path, file, table.rows, fields, found, notes, condition, region, lines, quiet
        )
    failed = tell_stimuli(found, fields, {n: o.name for n, o in models.items()}, quiet)
    if not quiet:
        print_lines(lines)
    if failed:
        click.get_current_context().exit(1)


def _read(
    file: str,
    layout: Layout,
    word: str | None,
    items: tuple[str, ...],
    order: str | None,
    given: str | None,
) -> tuple[WholeTable, StimulusFields]:
    """Return the table and its columns."""
    from pofx.stimuli.stimulus_fields import find_fields

    def text_of(names: Sequence[str]) -> str:
        return find_fields(names, word, items or None, order, given).word

    table = read_table(file, layout, text_of)
    return table, find_fields(table.names, word, items or None, order, given, table.rows)


def _frequencies(named: tuple[str, ...]) -> HasLogFrequency:
    """Return the frequencies of words in files, or in the one list that is named."""
    from pofx.corpus.documents import documents
    from pofx.stimuli.frequencies import LISTS, frequencies_of

    if len(named) == 1 and named[0].startswith(f"{LISTS}:"):
        return frequencies_of(named[0])
    return frequencies_of(documents(*named))


def _page_fields(
    names: Sequence[str], fields: StimulusFields, condition: str | None, region: str | None
) -> tuple[str | None, str | None]:
    """Return the columns of the condition and of the name of a region: those of the user, or those of a known name.

    Raises:
        BadValue: A column is missing.
    """
    from pofx.stimuli.stimulus_fields import CONDITIONS, REGIONS, check_column, find_known

    for name, option in ((condition, "condition"), (region, "region")):
        if name is not None:
            check_column(names, name, option)
    return condition or find_known(names, CONDITIONS), region or find_known(
        names, REGIONS, fields.word, fields.order or ""
    )


def _rows_of_texts(file: str, layout: Layout, fields: StimulusFields) -> tuple[Mapping[str, Any], ...]:
    """Return the rows of a table of texts.

    Raises:
        BadSource: The table lacks a column.
    """
    from pofx.errors import BadSource

    table = read_table(file, layout)
    for name in (*fields.item, fields.word, *([fields.order] if fields.order else [])):
        if name not in table.names:
            raise BadSource(
                f"{file}: expected a column {name!r:.60}, got none", "rename the columns of the texts"
            )
    return table.rows
