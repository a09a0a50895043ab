"""pofx posterior: the probability that a text is from each of several models."""

from __future__ import annotations

import click

from pofx.cli.options import arguments
from pofx.cli.options.compared_models import compared_models
from pofx.cli.options.model import ModelOptions
from pofx.cli.options.numbers import Real, Whole
from pofx.cli.options.pages import write_page
from pofx.cli.options.written import Verb


@click.command(cls=Verb, short_help="Tell which of several models a text is from.")
@arguments.text_option
@compared_models(" (repeatable)")
@click.option(
    "--weight",
    "weights",
    type=Real(),
    multiple=True,
    metavar="W",
    help="Prior weight of a model: give one per model, in their order; equal by default.",
)
@click.option(
    "--beam",
    type=Whole(1),
    default=8,
    show_default=True,
    help="Number of partial tokenisations that are kept at each byte, if the models' vocabularies differ.",
)
@click.option(
    "--begin", metavar="TOKEN", help="Use TOKEN as x0, the start-of-text symbol, of models that have none."
)
@click.option(
    "--end", metavar="TOKEN", help="Use TOKEN as EOS, the end-of-text symbol, of models that have none."
)
@arguments.json_option
@arguments.html_option
def command(
    texts: tuple[str, ...],
    names: tuple[str, ...],
    weights: tuple[float, ...],
    beam: int,
    begin: str | None,
    end: str | None,
    as_json: bool,
    html_path: str | None,
) -> None:
    """Give the probability that a text is from each of several models, by Bayes' rule: P(model | text) ∝ π p(text | model).

    π is the prior of the model. Texts are complete, so EOS is counted. Models with different vocabularies are compared
    as distributions over strings: log p of a text is then a sum over its tokenisations, with bounds.

    \b
    pofx posterior --text "Time flies." -m english -m french
    pofx posterior --text "Time flies." -m model -m smollm2 --begin "<|endoftext|>"
    """
    from pofx.queries.posterior import posterior
    from pofx.transforms.mixture import mixture, same_vocab

    if len(names) < 2:
        raise click.UsageError("-m: expected at least two models, got one; name another with -m.")
    if weights and len(weights) != len(names):
        raise click.UsageError(
            f"--weight: expected a weight for each of {len(names)} models, got {len(weights)}."
        )
    lms = [
        ModelOptions(name, begin, end, "float32", None, None, None).load_with_stand_ins() for name in names
    ]
    shared = all(same_vocab(lm, lms[0]) for lm in lms)
    both = mixture(lms, weights or None, None if shared else beam)
    found = posterior(both, [arguments.argument_text(t) for t in texts])
    if html_path:
        from pofx.report.html.page import Section, posterior_block

        title = "Which model a text is from"
        section = Section(title, (posterior_block(found, names),))
        write_page(html_path, title, [section], list(zip(names, lms)))
    if as_json:
        from pofx.report.json_records import dumps, posterior_record

        for record in found:
            click.echo(dumps(posterior_record(record, names)))
    else:
        from rich.console import Console

        from pofx.report.terminal.posterior import mixture_posterior_table

        Console().print(mixture_posterior_table(found, names))
