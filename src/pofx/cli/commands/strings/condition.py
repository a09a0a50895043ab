"""pofx condition: the distribution of texts given a condition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pofx.cli.command import Command
from pofx.cli.options import arguments
from pofx.cli.options.conditions import condition_options, sampling_options, show
from pofx.cli.options.model import ModelOptions, model_options

if TYPE_CHECKING:
    from pofx.queries.conditioning.conditions import Condition


@click.command(cls=Command, short_help="Give the distribution of texts that meet a condition.")
@condition_options
@arguments.given_option
@sampling_options
@model_options
@arguments.json_option
def command(
    on: Condition | None,
    given: str,
    how: dict[str, Any],
    show_: int,
    options: ModelOptions,
    as_json: bool,
) -> None:
    """Give p(x | x meets the condition), and the log of the probability that x meets it, with its standard error.

    The answer is exact where an exact one can be computed; else it is estimated from weighted draws, by sequential
    Monte Carlo. With --open, x is the beginning of a text, up to where it meets the condition.

    \b
    pofx condition --contains time --length 20
    pofx condition --matches "[A-Z][a-z ]*\\." --given "Return "
    """
    from pofx.queries.conditioning.condition import condition

    if on is None:
        raise click.UsageError("expected --contains, --matches or --length, got none.")
    lm = options.load()
    found = condition(lm, on, given=arguments.argument_text(given), **how)
    show(found, "text", show_, as_json, lm, options.name)
