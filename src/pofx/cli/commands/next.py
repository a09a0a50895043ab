"""pofx next: the law of the next token, byte, character or word."""

from __future__ import annotations

from typing import Any

import click

from pofx.cli.command import Command
from pofx.cli.options import arguments
from pofx.cli.options.model import ModelOptions, model_options
from pofx.cli.options.numbers import Whole
from pofx.cli.output.terms import print_line


@click.command(cls=Command, short_help="The law of what comes next: words, characters, bytes or tokens.")
@arguments.given_option
@click.option(
    "-k", type=Whole(1), default=10, show_default=True, help="How many outcomes to show; the rest is one row."
)
@click.option(
    "--unit",
    type=click.Choice(["word", "character", "byte", "token"]),
    default="word",
    show_default=True,
    help="What an outcome is. All but tokens may begin inside a token that the prefix ends in.",
)
@click.option(
    "--calls",
    type=Whole(),
    default=32,
    show_default=True,
    metavar="N",
    help="Words, characters: call the model at most so often in search of them.",
)
@model_options
@arguments.json_option
def command(given: str, k: int, unit: Any, calls: int, options: ModelOptions, as_json: bool) -> None:
    """p(v | prefix) of the likeliest v to come next. Without --given: p(x1 | x0), how texts begin.

    A word ends at the next boundary, white space or the end of the text. The first word may go on with one that the
    prefix began.

    \b
    pofx next --given "The interes"
    pofx next --given "Return the " --unit token
    """
    from pofx.queries.next_unit.next import next_token

    law = next_token(options.load(), arguments.argument_text(given), k, unit, calls)
    if as_json:
        from pofx.cli.output.json_records import dumps, next_record

        click.echo(dumps({**next_record(law), "model": options.name}))
    else:
        from rich.console import Console

        from pofx.report.terminal.next_unit import next_table

        Console().print(next_table(law))
        print_line(options.name, law.terms)
