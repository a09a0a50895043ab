"""The options for the layout of documents in files, and the reading of documents by these options."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pofx.cli.options.numbers import Real
from pofx.cli.output.notices import BadRows, left_out
from pofx.files.limits import DEFAULT, parse_size
from pofx.jobs.documents import ReadOptions

if TYPE_CHECKING:
    from pofx.corpus.documents import Document, Records

F = TypeVar("F", bound=Callable[..., Any])

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}


def _unescaped(context: click.Context, option: click.Parameter, text: str | None) -> str | None:
    return None if text is None else re.sub(r"\\([nrt\\])", lambda m: _ESCAPES[m[1]], text)


def _bytes(context: click.Context, option: click.Parameter, text: str) -> int:
    size = parse_size(text)
    if size is None:
        raise click.UsageError(f"--max-document: expected a size such as 500M or 1G, got {text!r:.40}.")
    return size


# The options by the names of their parameters.
OPTIONS = {
    "field": click.option(
        "--field",
        default="text",
        show_default=True,
        help="jsonl, json, csv, parquet: the field (column) of the text; a.b is the field b inside the object a.",
    ),
    "id": click.option(
        "--id", metavar="NAME", help="jsonl, json, csv, parquet: the field (column) of the document's id."
    ),
    "split": click.option(
        "--split",
        type=click.Choice(["line", "file"]),
        default="line",
        show_default=True,
        help="txt: whether each line or the whole file is a document.",
    ),
    "separator": click.option(
        "--separator",
        metavar="TEXT",
        callback=_unescaped,
        help=r"txt: the string that separates documents; write \n, \r, \t and \\ for special characters (\n also "
        r"matches \r\n).",
    ),
    "format": click.option(
        "--format",
        metavar="NAME",
        help="Read files as this format, whatever their names end in: txt, jsonl, json, csv.gz, …, or fasttext "
        "(labels, then text).",
    ),
    "delimiter": click.option(
        "--delimiter",
        metavar="CHAR",
        callback=_unescaped,
        help=r"csv, tsv: column separator, such as ';' or '\t'; by default a comma in csv, a tab in tsv.",
    ),
    "quoting": click.option(
        "--quoting",
        type=click.Choice(["none", "minimal"]),
        help="csv, tsv: none: a quote is a character like any other; minimal: quotes enclose a cell that needs "
        "them. By default, a row that can be read both ways is a bad row.",
    ),
    "encoding": click.option(
        "--encoding",
        metavar="NAME",
        help="Encoding of the files (all but parquet), such as cp1252, latin-1 or utf-16; UTF-8 by default.",
    ),
    "max_document": click.option(
        "--max-document",
        metavar="SIZE",
        default="64M",
        show_default=True,
        callback=_bytes,
        help="Refuse a document or row that is longer.",
    ),
    "max_expansion": click.option(
        "--max-expansion",
        type=Real(1),
        metavar="N",
        default=DEFAULT.expansion,
        show_default=True,
        help="Refuse a packed file that unpacks to more than N times its size, and to more than 16 MiB.",
    ),
}


@dataclass(frozen=True)
class Layout(ReadOptions):
    """The layout of documents in files, by the user's options. Standard error names skipped files and bad rows."""

    def files(self, named: tuple[str, ...]) -> tuple[str, ...]:
        """Return the files that the user named, directories and patterns expanded; name skipped ones on standard error."""
        from pofx.corpus.source import expand_path

        out: list[str] = []
        for path in named:
            found = expand_path(path, self.format)
            out += found.files
            if found.others:
                from pofx.units import count_noun

                click.echo(
                    f"pofx: {path}: {count_noun(len(found.files), 'file')} read, {len(found.others):,} of another ending "
                    f"left out, such as {found.others[0]!r} (--format reads all files)",
                    err=True,
                )
        return tuple(out)

    def documents(self, files: tuple[str, ...], keep: tuple[str, ...] = ()) -> CountedDocuments:
        """Return the documents of files.

        The first bad row of each kind is named on standard error; `tally` prints the counts.
        """
        told = BadRows()
        found = self.records(self.files(files), told.saw, keep=keep)
        found.look()
        return CountedDocuments(found, told)


@dataclass(frozen=True)
class CountedDocuments:
    """The documents of files, and the count of bad rows in the files."""

    records: Records
    bad: BadRows

    def __iter__(self) -> Iterator[Document]:
        return iter(self.records)


def layout_options(function: F) -> F:
    """Give a verb the options that say how documents lie in files, as one argument `layout`."""
    return _with_layout(function, ())


def row_options(function: F) -> F:
    """Give a verb that reads rows of fields the options of `layout_options` that are not about a text alone."""
    return _with_layout(function, ("field", "split", "separator"))


def table_options(function: F) -> F:
    """Give a verb that reads a whole table the options of `row_options` without --id."""
    return _with_layout(function, ("field", "split", "separator", "id"))


def _with_layout(function: F, without: tuple[str, ...]) -> F:
    names = [f.name for f in fields(Layout) if f.name not in without]

    @functools.wraps(function)
    def with_layout(*args: Any, **options: Any) -> Any:
        layout = Layout(**{name: options.pop(name) for name in names})
        return function(*args, layout=layout, **options)

    out: Any = with_layout
    for name, option in reversed(OPTIONS.items()):
        if name not in without:
            out = option(out)
    return out  # type: ignore[no-any-return]


def tally(found: CountedDocuments) -> None:
    """Print on standard error how many rows were left out, if any."""
    found.bad.rest()
    left_out(found.records.n_bad, found.records.n, found.records.n_blank)
