"""How documents lie in files: the options that say it, and the records that are read by it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pofx.corpus import BadRow, Records
    from pofx.reading import Split

F = TypeVar("F", bound=Callable[..., Any])


def _unescaped(context: click.Context, option: click.Parameter, separator: str | None) -> str | None:
    return None if separator is None else separator.replace("\\n", "\n").replace("\\t", "\t")


OPTIONS = (
    click.option(
        "--field", default="text", show_default=True, help="jsonl, csv, parquet: the field of the text."
    ),
    click.option("--id", "id_", metavar="NAME", help="jsonl, csv, parquet: the field of the id."),
    click.option(
        "--split",
        type=click.Choice(["line", "file"]),
        default="line",
        show_default=True,
        help="txt: a document is a line, or the whole file.",
    ),
    click.option(
        "--separator",
        metavar="TEXT",
        callback=_unescaped,
        help=r"txt: documents stand between these (\n and \t are read).",
    ),
    click.option(
        "--format", "format_", metavar="NAME", help="Overrules the file's ending: txt, jsonl, csv.gz, …"
    ),
)


@dataclass(frozen=True)
class Layout:
    """What the user said of how documents lie in files."""

    field: str
    id: str | None
    split: Split
    separator: str | None
    format: str | None

    def records(
        self,
        files: tuple[str, ...],
        report: Callable[[BadRow], None],
        given: str | None = None,
        keep: tuple[str, ...] = (),
    ) -> Records:
        """The records of files; report: told of each bad row. given, keep: further fields, as `records` has them."""
        from pofx.corpus import records

        return records(
            *files,
            field=self.field,
            id=self.id,
            split=self.split,
            separator=self.separator,
            format=self.format,
            report=report,
            given=given,
            keep=keep,
        )

    def documents(self, files: tuple[str, ...], keep: tuple[str, ...] = ()) -> Records:
        """The records of files; bad rows are told on standard error and counted: see `tally`."""
        return self.records(files, _tell, keep=keep)


def layout_options(function: F) -> F:
    """--field, --id, --split, --separator and --format, which reach the verb as one `layout`."""

    @functools.wraps(function)
    def with_layout(
        *args: Any,
        field: str,
        id_: str | None,
        split: Split,
        separator: str | None,
        format_: str | None,
        **others: Any,
    ) -> Any:
        return function(*args, layout=Layout(field, id_, split, separator, format_), **others)

    out: Any = with_layout
    for option in reversed(OPTIONS):
        out = option(out)
    return out  # type: ignore[no-any-return]


def tally(found: Records) -> None:
    """Say on stderr how many rows were left out, if any."""
    left_out(found.n_bad, found.n)


def left_out(bad: int, read: int) -> None:
    """Say on stderr how many rows were left out, if any, and how many documents were read."""
    if bad:
        from pofx.report.numerals import counted

        click.echo(
            f"pofx: warning: {counted(bad, 'bad row')} left out, {counted(read, 'document')} read", err=True
        )


def _tell(bad: BadRow) -> None:
    click.echo(f"pofx: warning: {bad}", err=True)
