"""Options and checks that several verbs share, for the texts of a question and the output of the answers."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from pofx.cli.options.written import Written, may_overwrite

F = TypeVar("F", bound=Callable[..., Any])

quiet_option = click.option(
    "--quiet",
    is_flag=True,
    help="Print no progress and no summary on standard error; warnings and errors stay.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
html_option = click.option(
    "--html",
    "html_path",
    type=Written(),
    metavar="FILE",
    help="Also write a self-contained HTML page.",
)

text_option = click.option(
    "--text", "texts", multiple=True, required=True, metavar="TEXT", help="The text (repeatable)."
)
given_option = click.option("--given", default="", metavar="TEXT", help="Condition on this prefix.")

boundary_option = click.option(
    "--boundary",
    type=click.Choice(["auto", "token", "exact", "error"]),
    default="auto",
    show_default=True,
    help="How the prefix and the text join. exact: as strings, over all tokenisations, byte by byte. token: "
    "each is cut into tokens by itself. error: as token, but a text whose tokens do not begin where the "
    "prefix ends is refused. auto: token where the tokenizer cuts between the two, else exact; for texts "
    "over 64 bytes, a faster lower bound.",
)


def argument_text(argument: str) -> str | bytes:
    """Return a command-line argument as text, or as bytes where the argument is no UTF-8."""
    try:
        argument.encode("utf-8")
    except UnicodeEncodeError:
        return os.fsencode(argument)
    return argument


def check_texts(files: tuple[str, ...], texts: tuple[str, ...], given: str, given_field: str | None) -> None:
    """Refuse options that name no texts, or both FILES and --text, or two prefixes."""
    if bool(files) == bool(texts):
        raise click.UsageError(
            "expected FILES or --text, got both."
            if files
            else "expected FILES (- for stdin) or --text, got neither."
        )
    if given and given_field:
        raise click.UsageError("expected --given or --given-field, got both.")
    if given_field and not files:
        raise click.UsageError("--given-field: expected FILES, got --text; give the prefix with --given.")


# Options that shape rows, which only -o writes, by the name of the parameter.
_ROWS_ONLY = {"keep": "--keep", "with_terms": "--terms"}


def check_out(
    files: tuple[str, ...],
    out: str | None,
    printed: bool,
    verb: str,
    rows_only: Mapping[str, str] = _ROWS_ONLY,
    printers: str = "--json",
) -> None:
    """Refuse options that contradict -o, and options that need -o where -o is missing."""
    if out is None:
        unheeded = next((flag for name, flag in rows_only.items() if typed(name)), None)
        if unheeded:
            raise click.UsageError(f"{unheeded}: expected only with -o FILE, got without.")
    elif not files:
        raise click.UsageError(f"-o: expected FILES to {verb}, got --text; use --json for one text.")
    elif printed:
        raise click.UsageError(f"-o: expected alone, got with {printers}.")


def typed(name: str) -> bool:
    """Return whether the user wrote this option or argument on the command line."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def write_text(path: str, text: str, quiet: bool = False) -> None:
    """Write a text file in one step; name the file on standard error unless `quiet`."""
    from pathlib import Path

    from pofx.files.atomic import write_atomically

    write_atomically(Path(path), text.encode("utf-8"))
    if not quiet:
        click.echo(f"pofx: wrote {path}", err=True)


@dataclass(frozen=True)
class Keeping:
    """Whether earlier output may be lost.

    Attributes:
        fresh: Whether the rows of a stopped run may be lost.
        overwrite: Whether the finished file of an earlier run may be replaced.
    """

    fresh: bool
    overwrite: bool


def keeping_options(function: F) -> F:
    """Give a verb --fresh, and --overwrite, as one argument `keeping`; --fresh is refused without -o."""

    @functools.wraps(function)
    def with_keeping(*args: Any, fresh: bool, out: str | None, **others: Any) -> Any:
        if out is None and typed("fresh"):
            raise click.UsageError("--fresh: expected only with -o FILE, got without.")
        return function(*args, keeping=Keeping(fresh, may_overwrite()), out=out, **others)

    found: Any = with_keeping
    option = click.option(
        "--fresh", is_flag=True, help="-o: start over, and drop the rows that a stopped run left."
    )
    return option(found)  # type: ignore[no-any-return]
