"""Rows of CSV and TSV: the first names the columns."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import BufferedReader

from pofx.errors import BadSource
from pofx.reading.cells import column_of, document
from pofx.reading.layout import Fault, Found, Layout, NotHere
from pofx.streams import lines


def csv_rows(name: str, stream: BufferedReader, layout: Layout, delimiter: str) -> Iterator[Found]:
    """A row of the table each, behind the first, which names the columns; `BadSource` where that is none."""
    # The limit is one of the whole process, so it is never lowered. A C long bounds it.
    csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))
    decoded = (line.decode("utf-8", "surrogateescape") for line in lines(name, stream))
    # strict: otherwise a quote that is never closed takes the rest of the file into one field without a word.
    table = csv.reader(decoded, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    places: list[int] = []
    while True:
        line = table.line_num + 1
        try:
            row = next(table)
        except StopIteration:
            return
        except csv.Error as e:
            to = f" (lines {line} to {table.line_num})" if table.line_num > line else ""
            why = f"expected a row of {'CSV' if delimiter == ',' else 'TSV'}, found {_csv_fault(e)}{to}"
            if header is None:
                raise BadSource(f"{name}:{line}: {why}; the first row must name the columns") from None
            yield Fault(line, why)
            continue
        if not row:
            yield None
        elif header is None:
            header = row
            places = [column_of(name, header, wanted) for wanted in layout.columns]
        elif len(row) != len(header):
            yield Fault(
                line,
                f"expected {len(header)} columns as in the header, found {len(row)} "
                "(a field that holds the separator must be quoted)",
            )
        else:
            try:
                yield (line, *document([row[at] for at in places], layout))
            except NotHere as e:
                yield e.at(line)


def _csv_fault(e: csv.Error) -> str:
    """Python's words for it, except where they speak of Python's own arguments."""
    said = str(e)
    if "end of data" in said:
        return "a quote that is never closed"
    return "a lone carriage return outside quotes" if "new-line" in said else said
