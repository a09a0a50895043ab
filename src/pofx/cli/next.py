"""pofx next: the law of the next token."""

from __future__ import annotations

import click

from pofx.cli import options
from pofx.cli.chosen import Chosen, model_options


@click.command(short_help="The law of the next token.")
@click.argument("given", default="")
@click.option("-k", default=10, show_default=True, help="How many tokens to show; the rest is one row.")
@model_options
@options.json_option
def command(given: str, k: int, chosen: Chosen, as_json: bool) -> None:
    """p(v | GIVEN) of the likeliest next tokens v. Without GIVEN: p(x1 | x0), how texts begin.

    \b
    pofx next "Return the "
    """
    from pofx.queries.next import next_token

    law = next_token(chosen.load(), options.argument_text(given), k)
    if as_json:
        from pofx.cli.plain import dumps, next_record

        click.echo(dumps(next_record(law)))
    else:
        from rich.console import Console

        from pofx.report import terminal

        Console().print(terminal.next_table(law))
