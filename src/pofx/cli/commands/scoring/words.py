"""pofx words: the surprisal of words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from pofx.cli.options import arguments
from pofx.cli.options.arguments import Keeping, keeping_options
from pofx.cli.options.layout import Layout, layout_options
from pofx.cli.options.model import ModelOptions, model_options
from pofx.cli.options.numbers import Real
from pofx.cli.options.pages import write_page
from pofx.cli.options.rows import given_field_option, keep_or_show_option, rows_out_option
from pofx.cli.options.sharding import Sharding, sharding_options
from pofx.cli.options.written import Verb
from pofx.cli.output.terms import print_line, terms_option

if TYPE_CHECKING:
    from pofx.lm.model import LM
    from pofx.queries.segmentation.word_rule import WordRule
    from pofx.queries.words.words import Worded
    from pofx.report.html.page import Row


@click.command(cls=Verb, short_help="Give the surprisal of each word.")
@click.argument("files", nargs=-1)
@click.option(
    "--text", "texts", multiple=True, metavar="TEXT", help="Show the words of this text (repeatable)."
)
@click.option(
    "--unit",
    "how",
    type=click.Choice(["words", "graphemes"]),
    default="words",
    show_default=True,
    help="words: runs without white space; graphemes: single characters, for languages without spaces.",
)
@click.option("--pattern", metavar="REGEX", help="Each match of this regular expression is a word.")
@click.option(
    "--pattern-seconds",
    type=Real(above=True),
    default=10.0,
    show_default=True,
    help="With --pattern: refuse a pattern that takes more seconds than this for one text.",
)
@click.option(
    "--punctuation",
    type=click.Choice(["attached", "own", "boundary"]),
    default="attached",
    show_default=True,
    help="attached: punctuation is part of the word that it touches; own: each punctuation character is a "
    "word; boundary: punctuation separates words, as a space does.",
)
@arguments.given_option
@given_field_option
@rows_out_option("word")
@keep_or_show_option
@terms_option
@keeping_options
@sharding_options
@layout_options
@model_options
@arguments.quiet_option
@arguments.json_option
@arguments.html_option
def command(
    files: tuple[str, ...],
    texts: tuple[str, ...],
    how: Any,
    pattern: str | None,
    pattern_seconds: float,
    punctuation: Any,
    given: str,
    given_field: str | None,
    out: str | None,
    keep: tuple[str, ...],
    with_terms: bool,
    keeping: Keeping,
    sharding: Sharding,
    layout: Layout,
    options: ModelOptions,
    quiet: bool,
    as_json: bool,
    html_path: str | None,
) -> None:
    """Give the surprisal of each word: -log P of the word and the boundary after it, given the text before it.

    The surprisals of a text add up to -log p(text). --text shows a table. FILES (or - for standard input) print one
    tab-separated row per word; with -o, the rows go to a file. Exit code 1 if some documents have no score; their
    errors are in the rows.

    \b
    pofx words --text "The cat sat on the mat."
    pofx words stimuli.csv --field sentence --id item -o words.csv
    pofx words corpus.txt --punctuation own -o words.parquet
    """
    from pofx.cli.output.paged import Paged
    from pofx.cli.output.row_lines import print_rows
    from pofx.cli.running.job_recipe import JobRecipe
    from pofx.cli.running.run_rows import check_rows_out, run_rows
    from pofx.jobs.documents import Documents
    from pofx.jobs.row_query import RowQuery
    from pofx.jobs.term_columns import WithTerms
    from pofx.jobs.word_rows import WordRows
    from pofx.queries.segmentation.word_rule import WordRule

    arguments.check_texts(files, texts, given, given_field)
    # The page of --html shows the kept fields.
    rows_only = {"with_terms": "--terms", **({} if files and html_path else {"keep": "--keep"})}
    printed = as_json or bool(html_path)
    arguments.check_out(files, out, printed, "score", rows_only, "--json or --html")
    if pattern is None and arguments.typed("pattern_seconds"):
        raise click.UsageError("--pattern-seconds: expected with --pattern, got without.")
    if pattern is not None and arguments.typed("how"):
        raise click.UsageError("--pattern: expected instead of --unit, got both.")
    units = WordRule(how if pattern is None else _compiled(pattern), punctuation, pattern_seconds)
    behind = arguments.argument_text(given)
    asked = Documents(layout.files(files), layout, behind, given_field, keep)
    own = WordRows(units, keep)
    rows: RowQuery = WithTerms(own, options.name) if with_terms else own
    if files:  # these checks come before a model is loaded
        asked.look()
    if out is not None:
        check_rows_out(out, rows, sharding)
    lm = options.load()
    if texts:
        given_texts = [arguments.argument_text(t) for t in texts]
        _texts(lm, given_texts, units, behind, as_json, options.name, html_path, quiet)
    elif out is not None:
        decided = {"--budget": options.budget}
        recipe = JobRecipe(options, asked, rows, out, keeping, decided)
        run_rows(recipe.job(lm), recipe, sharding, quiet)
    else:
        asked.check(lm, complete=True)
        paged: Paged[Worded] | None = Paged(keep) if html_path else None
        failed = print_rows(lm, asked, rows, as_json, "score", "" if quiet else options.name, paged)
        if html_path and paged is not None:
            _page(html_path, paged.records, (options.name, lm), quiet, paged.rows, paged.lead)
        if failed:
            click.get_current_context().exit(1)


def _compiled(pattern: str) -> re.Pattern[str]:
    from pofx.algorithms.automata.regular_expressions import parsed

    parsed(pattern, "--pattern")  # refuses a pattern that `re` cannot read, or of which `re` warns
    return re.compile(pattern)


def _texts(
    lm: LM,
    texts: list[str | bytes],
    units: WordRule,
    given: str | bytes,
    as_json: bool,
    model: str,
    html_path: str | None,
    quiet: bool,
) -> None:
    from pofx.queries.words.boundaries import BoundaryTokens
    from pofx.queries.words.words import read_words

    found = read_words(lm, BoundaryTokens(lm.vocab, units), texts, given)
    if html_path:  # the page is written first, since a reader that closes the pipe ends the program
        _page(html_path, found, (model, lm), quiet)
    if as_json:
        from pofx.report.json_records import dumps, words_record

        for worded in found:
            click.echo(dumps({**words_record(worded), "model": model}))
        return
    from rich.console import Console

    from pofx.report.terminal.words import words_table

    console = Console()
    for worded in found:
        console.print(words_table(worded))
        print_line(model, worded.terms)


def _page(
    path: str,
    worded: list[Worded],
    model: tuple[str, LM],
    quiet: bool,
    rows: Sequence[Row] = (),
    lead: str = "",
) -> None:
    from pofx.report.html.page import Section, words_block

    title = "The surprisal of words"
    write_page(path, title, [Section(title, (words_block(worded, rows),))], [model], quiet, lead)
