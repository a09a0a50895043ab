"""pofx sample: draws from p."""

from __future__ import annotations

from typing import Any

import click

from pofx.cli.options import arguments
from pofx.cli.options.model import ModelOptions, model_options
from pofx.cli.options.numbers import Real, Whole
from pofx.cli.options.pages import write_page
from pofx.cli.options.written import Verb
from pofx.cli.output.terms import print_line


@click.command(cls=Verb, short_help="Draw texts from a model.")
@click.option("-n", type=Whole(), default=3, show_default=True, help="Number of draws.")
@click.option("--given", default="", metavar="TEXT", help="Draw what follows this prefix.")
@click.option(
    "--boundary",
    type=click.Choice(["exact", "token"]),
    default="exact",
    show_default=True,
    help="After a prefix. exact: the first token may begin inside the prefix and reach beyond it; token: the "
    "first token begins where the prefix ends.",
)
@click.option(
    "--max-tokens",
    type=Whole(1),
    default=256,
    show_default=True,
    help="Cut a draw off after this many tokens; the output says so.",
)
@click.option("--seed", type=Whole(), help="The same seed gives the same draws.")
@click.option("--temperature", type=Real(above=True), help="Draw from p^(1/T), renormalised token by token.")
@click.option("--top-k", type=Whole(1), help="Draw from the k likeliest tokens only.")
@click.option(
    "--top-p",
    type=Real(0, 1, above=True),
    help="Draw from the fewest tokens that have this probability together.",
)
@model_options
@arguments.json_option
@arguments.html_option
def command(
    n: int,
    given: str,
    boundary: Any,
    max_tokens: int,
    seed: int | None,
    temperature: float | None,
    top_k: int | None,
    top_p: float | None,
    options: ModelOptions,
    as_json: bool,
    html_path: str | None,
) -> None:
    """Draw independent texts x ~ p(· | given), each with its log-probability.

    \b
    pofx sample -n 5 --seed 1
    pofx sample --given "Return the " --temperature 0.7
    """
    from pofx.queries.sample import sample
    from pofx.queries.scoring.terms import terms
    from pofx.transforms.warp import warp

    lm = model = options.load()
    if temperature is not None or top_k is not None or top_p is not None:
        lm = warp(lm, 1.0 if temperature is None else temperature, top_k, top_p)
    draws = sample(lm, n, arguments.argument_text(given), max_tokens, seed, boundary)
    warped = draws[0].warp if draws else ""
    if html_path:
        from pofx.report.html.page import draws_section

        # A draw under a temperature, top-k or top-p is no draw from p.
        title = f"Draws from q(x): p(x) at {warped}" if warped else "Draws from p(x)"
        if given:
            title += " after a prefix"
        write_page(html_path, title, [draws_section(draws, title)], [(options.name, model)])
    if as_json:
        from pofx.report.json_records import draw_record, dumps

        for d in draws:
            click.echo(dumps({**draw_record(d), "model": options.name}))
    else:
        from rich.console import Console

        from pofx.report.terminal.draws import draws_table

        Console().print(draws_table(draws))
        print_line(options.name, terms(lm, 0, 0, 0, end=False))
