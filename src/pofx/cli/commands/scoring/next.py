"""pofx next: the distribution of the next token, byte, character or word."""

from __future__ import annotations

from typing import Any

import click

from pofx.cli.options import arguments
from pofx.cli.options.model import ModelOptions, model_options
from pofx.cli.options.numbers import Whole
from pofx.cli.options.pages import write_page
from pofx.cli.options.written import Verb
from pofx.cli.output.terms import print_line


@click.command(cls=Verb, short_help="List what may come next: words, characters, bytes or tokens.")
@arguments.given_option
@click.option(
    "-k",
    type=Whole(1),
    default=10,
    show_default=True,
    help="Number of outcomes to show; one more row has the rest.",
)
@click.option(
    "--unit",
    type=click.Choice(["word", "character", "byte", "token"]),
    default="word",
    show_default=True,
    help="Kind of outcome. Words, characters and bytes may be spelled by a token that begins inside the "
    "prefix.",
)
@click.option(
    "--calls",
    type=Whole(),
    default=32,
    show_default=True,
    metavar="N",
    help="For words and characters: maximum number of model calls in the search for them.",
)
@model_options
@arguments.json_option
@arguments.html_option
def command(
    given: str,
    k: int,
    unit: Any,
    calls: int,
    options: ModelOptions,
    as_json: bool,
    html_path: str | None,
) -> None:
    """List the likeliest outcomes v after a prefix, with p(v | prefix). Without --given: how texts begin, p(x1 | x0).

    A word ends before white space or at the end of the text. If the prefix ends inside a word, an outcome may be the
    rest of that word.

    \b
    pofx next --given "The interes"
    pofx next --given "Return the " --unit token
    """
    from pofx.queries.next_unit.next import next_token

    lm = options.load()
    following = next_token(lm, arguments.argument_text(given), k, unit, calls)
    if html_path:
        from pofx.report.html.page import Section, next_block

        title = f"The next {unit}" if given else f"The first {unit}"
        write_page(html_path, title, [Section(title, (next_block(following),))], [(options.name, lm)])
    if as_json:
        from pofx.report.json_records import dumps, next_record

        click.echo(dumps({**next_record(following), "model": options.name}))
    else:
        from rich.console import Console

        from pofx.report.terminal.next_unit import next_table

        Console().print(next_table(following))
        print_line(options.name, following.terms)
