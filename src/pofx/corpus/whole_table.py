"""A table that is read as a whole: every column of every row, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pofx.corpus.bad_rows import BadRow
from pofx.corpus.documents import Records
from pofx.corpus.readers import rows
from pofx.corpus.readers.fields import FieldSearch
from pofx.corpus.readers.layout import DocumentLayout
from pofx.corpus.readers.table import read_header
from pofx.corpus.source import Source
from pofx.corpus.streams import open_text
from pofx.errors import BadSource, require


@dataclass(frozen=True)
class WholeTable:
    """A table of a file.

    Attributes:
        names: The names of the columns, in order.
        rows: The rows, each with the values of all columns; None where an object has no such field.
    """

    names: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]


def read_whole_table(records: Records, text_of: Callable[[Sequence[str]], str]) -> WholeTable:
    """Read all columns of the only file of `records`.

    Args:
        records: The file, and how it is read. Its field and its kept fields are replaced.
        text_of: A function of the names of all columns, which returns the name of a column of strings.

    Returns:
        The table, in memory.

    Raises:
        BadSource: The file is not the only one, is read only once, has no columns, has a column twice, or has a row that
            holds no string in the column of strings. The first such row is named.

    Right: `read_whole_table(records("items.csv"), lambda names: "word")`. Wrong: a corpus larger than the memory.
    """
    (source,) = records.sources
    if not source.is_regular:
        raise BadSource(
            f"{source.name}: expected a file that can be read twice, got a stream",
            "save the stream to a file",
        )
    names = column_names(source, records.layout)
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise BadSource(
            f"{source.name}: expected columns of different names, got {twice!r:.60} twice",
            "rename one of the columns",
        )
    layout = DocumentLayout(
        text_of(names),
        keep=tuple(names),
        delimiter=records.layout.delimiter,
        quoting=records.layout.quoting,
        encoding=records.layout.encoding,
        limits=records.layout.limits,
    )
    read = Records(records.sources, layout, _refuse)
    return WholeTable(tuple(names), tuple(dict(zip(names, found.kept)) for found in read))


def column_names(source: Source, layout: DocumentLayout) -> list[str]:
    """Return the names of all columns of a file, in order; of JSON, the fields of all objects, as they first occur.

    Raises:
        BadSource: The file has no columns, or is at fault itself.
    """
    found: list[str] = []
    if source.format in ("csv", "tsv"):
        with open_text(source, layout.encoding, layout.limits) as stream:
            found = read_header(source.name, stream, layout, source.format.upper())
    elif source.format == "parquet":
        parquet = require("pyarrow.parquet", "data", f"reading {source.name}")
        with open_text(source, layout.encoding, layout.limits) as stream:
            try:
                found = list(parquet.ParquetFile(stream).schema_arrow.names)
            except (require("pyarrow", "data", "Parquet").ArrowException, OSError):
                found = []  # the reader says what is wrong with the file
    elif source.format in ("jsonl", "json"):
        names = _Names()
        for _ in rows(source, layout, names):
            pass
        found = list(names.found)
    if not found:
        raise BadSource(
            f"{source.name}: expected a table (csv, tsv, jsonl, json, parquet) with columns, got {_got(source)}",
            "name a table",
        )
    return found


class _Names(FieldSearch):
    """The names of the fields of all objects; the search changes with each object."""

    def __init__(self) -> None:
        super().__init__({"": ("", "")})  # a search that lacks a field is told of each object
        self.found: dict[str, None] = {}

    def note(self, record: Mapping[str, Any]) -> None:
        """Note the fields of one object."""
        self.found.update(dict.fromkeys(record))


def _got(source: Source) -> str:
    return "no columns" if source.format != "txt" else "text"


def _refuse(bad: BadRow) -> None:
    raise bad.error.within(f"{bad.source}:{bad.line}")
