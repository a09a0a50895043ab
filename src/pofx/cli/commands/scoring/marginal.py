"""pofx marginal: log p of a string, summed over its tokenisations."""

from __future__ import annotations

import click

from pofx.cli.options import arguments
from pofx.cli.options.model import ModelOptions, model_options
from pofx.cli.options.numbers import Real, Whole
from pofx.cli.options.pages import write_page
from pofx.cli.options.written import Verb
from pofx.vocab.vocabulary import plain_text


@click.command(cls=Verb, short_help="Give the probability of a string, summed over all its tokenisations.")
@arguments.text_option
@click.option(
    "--beam",
    type=Whole(1),
    default=8,
    show_default=True,
    help="Number of partial tokenisations that are kept at each byte.",
)
@click.option(
    "-n",
    "draws",
    type=Whole(),
    default=128,
    show_default=True,
    help="Maximum number of random tokenisations drawn for the estimate.",
)
@click.option(
    "--calls",
    type=Whole(1),
    metavar="N",
    help="Stop the beam and start no further draws after N calls of the model.",
)
@click.option(
    "--seconds",
    type=Real(0, above=True),
    metavar="S",
    help="Stop the beam and start no further draws after S seconds.",
)
@click.option("--seed", type=Whole(), default=0, show_default=True, help="Seed of the draws.")
@model_options
@arguments.json_option
@arguments.html_option
def command(
    texts: tuple[str, ...],
    beam: int,
    draws: int,
    calls: int | None,
    seconds: float | None,
    seed: int,
    options: ModelOptions,
    as_json: bool,
    html_path: str | None,
) -> None:
    """Give log p(text): the log of the sum of p over every sequence of tokens that spells the text, in nats.

    The sum is exact for n-grams and for models over bytes. For other models there is a certain lower bound, and an
    unbiased estimate with its interval. 'pofx score' counts the canonical tokenisation alone; the gap is how much that
    leaves out.

    \b
    pofx marginal --text "unbelievable" -m smollm2 --begin "<|endoftext|>"
    pofx marginal --text "Timely tides." --calls 50 -m model
    pofx marginal --text "Timely tides." -m model --html sum.html
    """
    from pofx.queries.marginal.marginal import marginal

    lm = options.load()
    found = [marginal(lm, arguments.argument_text(t), beam, draws, calls, seconds, seed) for t in texts]
    if html_path:
        from pofx.report.html.page import Section, marginal_block, quote

        title = "log p(x), summed over tokenisations"
        blocks = [block for m in found for block in (quote(plain_text(m.text)), marginal_block(m))]
        write_page(html_path, title, [Section(title, tuple(blocks))], [(options.name, lm)])
    if as_json:
        from pofx.report.json_records import dumps, marginal_record

        for m in found:
            click.echo(dumps(marginal_record(m)))
    else:
        from rich.console import Console

        from pofx.report.terminal.marginal import marginal_table

        Console().print(marginal_table(found))
