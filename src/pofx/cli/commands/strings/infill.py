"""pofx infill: what may stand between two strings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pofx.cli.options import arguments
from pofx.cli.options.conditions import condition_options, sampling_options, show
from pofx.cli.options.model import ModelOptions, model_options
from pofx.cli.options.pages import write_page
from pofx.cli.options.written import Verb

if TYPE_CHECKING:
    from pofx.queries.conditioning.conditions import Condition


@click.command(cls=Verb, short_help="Fill the gap between a prefix and a suffix.")
@arguments.given_option
@click.option("--suffix", required=True, metavar="TEXT", help="The text after the gap.")
@condition_options
@sampling_options
@model_options
@arguments.json_option
@arguments.html_option
def command(
    given: str,
    suffix: str,
    on: Condition | None,
    how: dict[str, Any],
    show_: int,
    options: ModelOptions,
    as_json: bool,
    html_path: str | None,
) -> None:
    """Give the likeliest middles between a prefix and a suffix, with p(middle | prefix, suffix).

    Also give log P(the text ends with the suffix | it begins with the prefix). --contains, --matches and --length are
    conditions on the middle. With --open, the text may go on after the first suffix. Without --given, the gap is at the
    beginning of the text.

    \b
    pofx infill --given "Return the " --suffix " of the list."
    pofx infill --given "The " --suffix " sat on the mat." --open -m smollm2 -n 64
    """
    from pofx.queries.conditioning.conditions import Anything
    from pofx.queries.conditioning.infill import infill

    lm = options.load()
    found = infill(
        lm,
        arguments.argument_text(given),
        arguments.argument_text(suffix),
        middle=Anything() if on is None else on,
        **how,
    )
    if html_path:
        from pofx.report.html.page import Section, conditioned_block

        title = "What may stand in the gap"
        block = conditioned_block(found, "middle", arguments.argument_text(suffix))
        write_page(html_path, title, [Section(title, (block,))], [(options.name, lm)])
    show(found, "middle", show_, as_json, lm, options.name)
