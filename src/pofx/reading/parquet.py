"""Rows of Parquet, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader
from typing import Any, cast

from pofx.errors import BadSource, require
from pofx.reading.cells import column_of, document
from pofx.reading.layout import Found, Layout, NotHere


def parquet_rows(name: str, stream: BufferedReader, layout: Layout) -> Iterator[Found]:
    """A row of the table each; `BadSource` for a broken file, or a column that does not hold strings."""
    arrow = require("pyarrow", "data", f"reading {name}")
    parquet = require("pyarrow.parquet", "data", f"reading {name}")

    def broken(e: Exception) -> BadSource:
        said = str(e).splitlines()[0] if str(e) else type(e).__name__
        return BadSource(f"{name}: expected a whole Parquet file, found: {said}; fetch or write it again")

    try:
        table = parquet.ParquetFile(stream)
    except (arrow.ArrowException, OSError) as e:
        raise broken(e) from None
    schema = table.schema_arrow
    for column in layout.keep:
        column_of(name, schema.names, column)
    for column in layout.needed:
        kind = schema.types[column_of(name, schema.names, column)]
        if arrow.types.is_dictionary(kind):
            kind = kind.value_type
        is_text = kind in (arrow.string(), arrow.large_string(), arrow.string_view())
        if not (is_text or (column == layout.id != layout.field and arrow.types.is_integer(kind))):
            raise BadSource(
                f"{name}: expected strings in column {column!r}, found {kind}; name another column, "
                "or convert it when the file is written"
            )
    batches = table.iter_batches(batch_size=1024, columns=list(dict.fromkeys(layout.columns)))
    line = 0
    while True:
        try:
            batch = next(batches, None)
        except (arrow.ArrowException, OSError) as e:
            raise broken(e) from None
        if batch is None:
            return
        for cells in zip(*(_cells(batch.column(c)) for c in layout.columns)):
            line += 1
            try:
                yield (line, *document(cells, layout))
            except NotHere as e:
                yield e.at(line)


def _cells(column: Any) -> list[object]:
    """The values of a column; bytes that are no UTF-8 come out as the surrogates that `_checked` refuses."""
    try:
        return cast(list[object], column.to_pylist())
    except UnicodeDecodeError:
        return [_cell(value) for value in column]


def _cell(value: Any) -> object:
    try:
        return cast(object, value.as_py())
    except UnicodeDecodeError as e:
        return e.object.decode("utf-8", "surrogateescape")
