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

# The endings of files of Arrow, which only tables that are read as a whole may be.
ARROW = (".arrow", ".feather")


@dataclass(frozen=True)
class WholeTable:
    """A table of a file.

    Attributes:
        names: The names of the columns, in order.
        rows: The rows, each with the values of all columns; None where an object has no such field.
    """

    names: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]


def read_whole_table(records: Records, text_of: Callable[[Sequence[str]], str] | None = None) -> WholeTable:
    """Read all columns of the only file of `records`.

    Args:
        records: The file, and how it is read. Its field and its kept fields are replaced.
        text_of: A function of the names of all columns, which returns the name of a column of strings; None for the first
            column of strings.

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
    strings = _columns(source, records.layout)
    names = list(strings)
    layout = DocumentLayout(
        _first_strings(source, strings) if text_of is None else text_of(names),
        keep=tuple(names),
        delimiter=records.layout.delimiter,
        quoting=records.layout.quoting,
        encoding=records.layout.encoding,
        limits=records.layout.limits,
    )
    read = Records(records.sources, layout, _refuse)
    return WholeTable(tuple(names), tuple(dict(zip(names, found.kept)) for found in read))


def read_arrow_file(path: str) -> WholeTable:
    """Read all columns of a file of Arrow.

    Args:
        path: The file.

    Raises:
        BadSource: The file is missing or broken, or has a column twice.
        MissingExtra: pyarrow is not installed.
    """
    arrow = require("pyarrow", "data", f"reading {path}")
    try:
        with open(path, "rb") as file:
            table = arrow.ipc.open_file(file).read_all()
        table.validate(full=True)  # offsets of a broken file may lie outside it
        names = tuple(table.column_names)
        if len(set(names)) == len(names):
            return WholeTable(names, tuple(table.to_pylist()))
    except (arrow.ArrowException, OSError, ValueError) as e:
        said = e.strerror if isinstance(e, OSError) and e.strerror else str(e).partition("\n")[0]
        raise BadSource(
            f"{path}: expected a whole file of Arrow, got: {said}", "fetch or write it again"
        ) from None
    twice = next(n for n in names if names.count(n) > 1)
    raise BadSource(
        f"{path}: expected columns of different names, got {twice!r:.60} twice", "rename one of the columns"
    )


def _columns(source: Source, layout: DocumentLayout) -> dict[str, bool]:
    """Return the names of all columns of a file, in order, and whether each holds strings alone.

    Raises:
        BadSource: The file has no columns, has a column twice, or is at fault itself.
    """
    found: list[tuple[str, bool]] = []
    if source.format in ("csv", "tsv"):
        with open_text(source, layout.encoding, layout.limits) as stream:
            header = read_header(source.name, stream, layout, source.format.upper())
            found = [(name, True) for name in header]
    elif source.format == "parquet":
        found = _columns_of_parquet(source, layout)
    elif source.format in ("jsonl", "json"):
        names = _Names()
        for _ in rows(source, layout, names):
            pass
        found = list(names.strings.items())
    if not found:
        got = "text" if source.format == "txt" else "no columns"
        raise BadSource(
            f"{source.name}: expected a table (csv, tsv, jsonl, json, parquet, arrow) with columns, got {got}",
            "name a table",
        )
    out = dict(found)
    if len(out) < len(found):
        names_ = [name for name, _ in found]
        twice = next(n for n in names_ if names_.count(n) > 1)
        raise BadSource(
            f"{source.name}: expected columns of different names, got {twice!r:.60} twice",
            "rename one of the columns",
        )
    return out


def _columns_of_parquet(source: Source, layout: DocumentLayout) -> list[tuple[str, bool]]:
    arrow = require("pyarrow", "data", f"reading {source.name}")
    parquet = require("pyarrow.parquet", "data", f"reading {source.name}")
    with open_text(source, layout.encoding, layout.limits) as stream:
        try:
            schema = parquet.ParquetFile(stream).schema_arrow
        except (arrow.ArrowException, OSError) as e:
            raise BadSource(
                f"{source.name}: expected a whole Parquet file, got: {str(e).splitlines()[0]}",
                "fetch or write it again",
            ) from None
    texts = (arrow.types.is_string, arrow.types.is_large_string)
    return [(field.name, any(is_text(field.type) for is_text in texts)) for field in schema]


def _first_strings(source: Source, strings: Mapping[str, bool]) -> str:
    name = next((n for n, holds in strings.items() if holds), None)
    if name is None:
        raise BadSource(
            f"{source.name}: expected a column of strings, got none", "keep the column of the words"
        )
    return name


class _Names(FieldSearch):
    """The names of the fields of all objects, and whether each holds strings alone; the search changes with each object."""

    def __init__(self) -> None:
        super().__init__({"": ("", "")})  # a search that lacks a field is told of each object
        self.strings: dict[str, bool] = {}
        self._seen = 0

    def note(self, record: Mapping[str, Any]) -> None:
        """Note the fields of one object."""
        for name, value in record.items():
            self.strings[name] = isinstance(value, str) and self.strings.get(name, not self._seen)
        for name in self.strings.keys() - record.keys():
            self.strings[name] = False
        self._seen += 1


def _refuse(bad: BadRow) -> None:
    raise bad.error.within(f"{bad.source}:{bad.line}")
