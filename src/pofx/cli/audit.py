"""pofx audit: is it a joint distribution?"""

from __future__ import annotations

import click

from pofx.cli import options
from pofx.cli.chosen import Chosen, model_options


@click.command(short_help="Check whether a model is a joint distribution.")
@click.argument("model", required=False)
@click.option(
    "--texts", "files", multiple=True, metavar="FILE", help="Held-out documents (default: built-in ones)."
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of the draws and of the choice of documents.",
)
@options.corpus_options
@model_options
@options.json_option
@options.html_option
def command(
    model: str | None,
    files: tuple[str, ...],
    seed: int,
    field: str,
    id_: str | None,
    split: str,
    separator: str | None,
    format_: str | None,
    chosen: Chosen,
    as_json: bool,
    html_path: str | None,
) -> None:
    """The evidence that MODEL is what it claims: joint, conditional, prefix-only or improper.

    Exit code 1 if a check failed.

    \b
    pofx audit model --texts held-out.txt --html audit.html
    """
    from pofx.queries.audit import audit

    if model is not None and options.typed("model_name") and model != chosen.name:
        raise click.UsageError(f"expected one model, found {model!r} and -m {chosen.name!r}.")
    name = model or chosen.name
    lm = chosen.load(name)
    texts = None
    if files:
        found = options.corpus(files, field, id_, split, separator, format_)
        texts = [d.text for d in found]
        options.tally(found)
    result = audit(lm, texts, seed)
    if html_path:
        from pofx.report import html

        options.write_page(html_path, html.page(f"Audit of {name}", [html.audit_section(result, name)]))
    if as_json:
        from pofx.cli.plain import audit_record, dumps

        click.echo(dumps(audit_record(result)))
    else:
        from rich.console import Console

        from pofx.report import terminal

        console = Console()
        console.print(terminal.audit_headline(result))
        console.print(terminal.audit_table(result))
    if result.failed:
        click.get_current_context().exit(1)
