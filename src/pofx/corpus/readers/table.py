"""Rows of CSV and TSV: the first row names the columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from io import BufferedReader

from pofx.corpus.readers.cells import column_of, read_document
from pofx.corpus.readers.layout import DocumentLayout, Fault, NoDocument, RowOutcome
from pofx.corpus.streams import read_lines
from pofx.errors import Advice, BadSource
from pofx.files.limits import too_long

# The line that names the delimiter for Excel.
_EXCEL = re.compile(r'"?sep=(.)"?\r?\n?', re.IGNORECASE | re.DOTALL)
_NONE = Advice("say so if quotes are characters like any other here", "quoting='none'", "--quoting none")
_MINIMAL = Advice("say so if a quote may hold line breaks", "quoting='minimal'", "--quoting minimal")


class _Table:
    """The rows of a table as cells, and the line where the latest one begins."""

    def __init__(
        self, name: str, stream: BufferedReader, layout: DocumentLayout, kind: str, skipped: int
    ) -> None:
        self.name, self.layout, self.kind, self.skipped = name, layout, kind, skipped
        self.delimiter = layout.delimiter or ("\t" if kind == "TSV" else ",")
        self.width: int | None = None
        # The line where the row begins, and the lines that it takes.
        self.line = 1
        self._row: list[str] = []
        self._lines = read_lines(name, stream, layout.limits)
        # `csv` has one limit for the whole process, so the limit is never lowered. A C long bounds the limit.
        csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))
        # Without `strict` a quote that is never closed takes the rest of the file into one field without a word.
        self._reader = csv.reader(self._taken(), delimiter=self.delimiter, strict=True)

    def next(self) -> list[str] | None:
        """Return the cells of the next row, [] for a blank line, None at the end.

        Raises:
            NoDocument: The row cannot be cut into cells.
        """
        self.line += len(self._row)
        self._row = []
        if self.layout.quoting == "none":
            text = next(self._taken(), None)
            if text is None:
                return None
            text = text.removesuffix("\n").removesuffix("\r")
            return text.split(self.delimiter) if text else []
        try:
            cells = next(self._reader)
        except StopIteration:
            return None
        except csv.Error as e:
            raise self._fault(*_csv_fault(e)) from None
        if self._are_rows():
            found = "a quote that holds line breaks, though each of its lines is a row, too"
            raise self._fault(found, _NONE, _MINIMAL)
        return cells

    def _fault(self, found: str, *advice: Advice) -> NoDocument:
        first = self.line + self.skipped
        last = first + len(self._row) - 1
        to = f" (lines {first} to {last})" if last > first else ""
        ways = advice if self.layout.quoting is None else ()
        return NoDocument(f"expected a row of {self.kind}, got {found}{to}", *ways)

    def _are_rows(self) -> bool:
        """Return whether the lines of a row may be a row each, since files with tabs are written with and without quotes."""
        if self.delimiter != "\t" or self.layout.quoting is not None or len(self._row) < 2:
            return False
        width = self.width or self._row[0].count("\t") + 1
        return all(text.count("\t") == width - 1 for text in self._row)

    def _taken(self) -> Iterator[str]:
        """Yield lines, and note each line as part of the row."""
        size, longest = 0, self.layout.limits.document
        for data in self._lines:
            text = data.decode("utf-8", "surrogateescape")
            if not self._row:
                size = 0
                if self.line == 1 and self._is_excels(text):
                    self.line = 2
                    continue
            size += len(data)
            if size > longest:
                raise too_long(self.name, self.line + self.skipped, self.layout.limits)
            self._row.append(text)
            yield text

    def _is_excels(self, text: str) -> bool:
        """Return whether the first line is Excel's `sep=`, with the delimiter that the columns have.

        Raises:
            BadSource: The line names another delimiter.
        """
        found = _EXCEL.fullmatch(text)
        if found is None:
            return False
        if found[1] != self.delimiter:
            shown = "\\t" if found[1] == "\t" else found[1]
            raise BadSource(
                f"{self.name}:1: expected {self.delimiter!r} between columns, got the line 'sep={shown}'",
                Advice("name the delimiter", f"delimiter={found[1]!r}", f'--delimiter "{shown}"'),
            )
        return True


def read_header(name: str, stream: BufferedReader, layout: DocumentLayout, kind: str) -> list[str]:
    """Return the names of the columns, which the first row that is not blank has; [] for an empty table.

    Raises:
        BadSource: The first row cannot be cut into cells.
    """
    table = _Table(name, stream, layout, kind, 0)
    try:
        while (row := table.next()) is not None:
            if row:
                return row
    except NoDocument as e:
        raise _no_header(name, table.line, e) from None
    return []


def _no_header(name: str, line: int, e: NoDocument) -> BadSource:
    return BadSource(f"{name}:{line}: {e.why}", [*e.advice, "name the columns in the first row"])


def csv_rows(
    name: str, stream: BufferedReader, layout: DocumentLayout, kind: str, skipped: int = 0
) -> Iterator[RowOutcome]:
    """Yield the rows of the table after the first row, which names the columns.

    Args:
        name: The file, for messages.
        stream: The bytes of the table.
        layout: The columns that hold documents.
        kind: The format in messages, such as "CSV".
        skipped: How many lines between the first row and the others are not read; messages count these lines, too.

    Raises:
        BadSource: The first row names no column of documents.
    """
    table = _Table(name, stream, layout, kind, skipped)
    header: list[str] | None = None
    places: list[int] = []
    while True:
        try:
            row = table.next()
        except NoDocument as e:
            if header is None:
                raise _no_header(name, table.line, e) from None
            yield e.at(table.line)
            continue
        if row is None:
            return
        if not row:
            yield None
        elif header is None:
            header = row
            table.width = len(row)
            places = [
                column_of(name, header, wanted, layout.options[wanted], table.delimiter)
                for wanted in layout.columns
            ]
        elif len(row) != len(header):
            unquoted = "cannot hold the separator" if layout.quoting == "none" else "must be quoted"
            which = "a field" if layout.quoting == "none" else "a field that holds the separator"
            yield Fault(
                table.line,
                f"expected {len(header)} columns as in the header, got {len(row)} ({which} {unquoted})",
            )
        else:
            try:
                yield (table.line, *read_document([row[at] for at in places], layout))
            except NoDocument as e:
                yield e.at(table.line)


def _csv_fault(e: csv.Error) -> tuple[str, *tuple[Advice, ...]]:
    """Return the fault of a row and the advice; the messages of Python's csv name arguments that pofx does not have."""
    said = str(e)
    if "end of data" in said:
        return "a quote that is never closed", _NONE
    if "expected after" in said:
        return "a quote that closes before its field ends", _NONE
    return ("a lone carriage return outside quotes" if "new-line" in said else said,)
