"""What several verbs share: how a model and texts are named, and how files are read."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from pofx.corpus import BadRow, Records
    from pofx.reading import Split

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
html_option = click.option(
    "--html",
    "html_path",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Also write a page that needs no network.",
)

boundary_option = click.option(
    "--boundary",
    type=click.Choice(["auto", "token", "exact", "error"]),
    default="auto",
    show_default=True,
    help="Behind a prefix. auto: both are strings, whatever tokens span the join; exact: so too, all of it byte by "
    "byte; token: the text begins with a new token; error: refuse a text that does not.",
)


def corpus_options(function: F) -> F:
    """--field, --id, --split, --separator and --format: how documents lie in files."""
    for option in (
        click.option(
            "--format", "format_", metavar="NAME", help="Overrules the file's ending: txt, jsonl, csv.gz, …"
        ),
        click.option(
            "--separator",
            metavar="TEXT",
            callback=_unescaped,
            help=r"txt: documents stand between these (\n and \t are read).",
        ),
        click.option(
            "--split",
            type=click.Choice(["line", "file"]),
            default="line",
            show_default=True,
            help="txt: a document is a line, or the whole file.",
        ),
        click.option("--id", "id_", metavar="NAME", help="jsonl, csv, parquet: the field of the id."),
        click.option(
            "--field", default="text", show_default=True, help="jsonl, csv, parquet: the field of the text."
        ),
    ):
        function = option(function)
    return function


def corpus(
    paths: tuple[str, ...],
    field: str,
    id_: str | None,
    split: str,
    separator: str | None,
    format_: str | None,
    keep: tuple[str, ...] = (),
) -> Records:
    """The records of files; bad rows are told on stderr and counted. keep: further fields, as `records` has them."""
    from pofx.corpus import records

    return records(
        *paths,
        field=field,
        id=id_,
        split=cast("Split", split),  # click has seen to it
        separator=separator,
        format=format_,
        report=_report,
        keep=keep,
    )


def _unescaped(context: click.Context, option: click.Parameter, separator: str | None) -> str | None:
    return None if separator is None else separator.replace("\\n", "\n").replace("\\t", "\t")


def _report(bad: BadRow) -> None:
    click.echo(f"pofx: warning: {bad}", err=True)


def tally(found: Records) -> None:
    """Say on stderr how many rows were left out, if any."""
    if found.n_bad:
        from pofx.report.numerals import counted

        click.echo(
            f"pofx: warning: {counted(found.n_bad, 'bad row')} left out, {counted(found.n, 'document')} read",
            err=True,
        )


def argument_text(argument: str) -> str | bytes:
    """A command-line argument as text, or as the bytes it was where it is no UTF-8."""
    try:
        argument.encode("utf-8")
    except UnicodeEncodeError:
        return os.fsencode(argument)
    return argument


def check_texts(files: tuple[str, ...], texts: tuple[str, ...], given: str, given_field: str | None) -> None:
    """Refuse what does not say which texts are meant, or behind what: FILES or --text, --given or --given-field."""
    if bool(files) == bool(texts):
        raise click.UsageError(
            "expected FILES or --text, found both."
            if files
            else "expected FILES (- for stdin) or --text, found neither."
        )
    if given and given_field:
        raise click.UsageError("expected --given or --given-field, found both.")
    if given_field and not files:
        raise click.UsageError("--given-field: expected FILES, found --text; condition it with --given.")


def typed(name: str) -> bool:
    """Whether the user wrote this option or argument on the command line."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def write_page(path: str, page: str) -> None:
    """Write a page in one step, and say where."""
    from pathlib import Path

    from pofx.cache import write_atomically

    write_atomically(Path(path), page.encode("utf-8"))
    click.echo(f"pofx: wrote {path}", err=True)
