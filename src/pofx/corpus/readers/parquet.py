"""Rows of Parquet, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from io import BufferedReader
from typing import Any, cast

from pofx.corpus.readers.cells import column_of, read_document
from pofx.corpus.readers.fields import field_advice, shown_names
from pofx.corpus.readers.layout import DocumentLayout, NoDocument, RowOutcome
from pofx.corpus.readers.parquet_pages import BadPage, unpacked_size
from pofx.corpus.stretch import Stretch
from pofx.errors import BadSource, require
from pofx.files.limits import FLOOR

# At most this many rows are decoded at once.
_BATCH = 8192
# Bytes that each row counts beside its texts, where the unpacked size of a file is compared with the limit.
_ROW = 8


def parquet_rows(
    name: str, stream: BufferedReader, layout: DocumentLayout, stretch: Stretch | None = None
) -> Iterator[RowOutcome]:
    """Yield the rows of the table.

    Args:
        name: The file, for messages.
        stream: The file.
        layout: The columns that hold documents.
        stretch: The row groups to read; None for all of them.

    Raises:
        BadSource: The file is broken, or the column of the text holds no strings.
    """
    arrow = require("pyarrow", "data", f"reading {name}")
    parquet = require("pyarrow.parquet", "data", f"reading {name}")

    def broken(e: Exception) -> BadSource:
        said = str(e).splitlines()[0] if str(e) else type(e).__name__
        return BadSource(f"{name}: expected a whole Parquet file, got: {said}", "fetch or write it again")

    size = stream.seek(0, 2)
    try:
        table = parquet.ParquetFile(stream)
    except (arrow.ArrowException, OSError) as e:
        raise broken(e) from None
    schema = table.schema_arrow
    if (
        not table.metadata.num_rows and not schema.names
    ):  # writers of sharded tables often write an empty shard as a table without columns
        return
    places = [_Place(arrow, schema, name, column, layout.options[column]) for column in layout.columns]
    for place in places[: len(layout.needed)]:
        place.check_text(arrow, layout, name)
    every = range(table.metadata.num_row_groups)
    groups = every if stretch is None else every[stretch.start : stretch.stop]
    rows = sum(table.metadata.row_group(g).num_rows for g in groups)
    try:
        claimed = _claimed(stream, table.metadata, {p.top for p in places}, groups)
    except BadPage:
        raise broken(ValueError("no header where a page begins")) from None
    layout.limits.check_expansion(name, size, claimed + _ROW * rows)
    # A batch has as many rows as fit the memory, by the size that the file states.
    batch = max(1, min(_BATCH, FLOOR * rows // max(claimed, 1)))
    # A file stores a text of a million rows once. Columns are read as dictionaries, so the memory holds the text once, too.
    once = [p.top for p in places if p.is_text]
    try:
        # The footer is passed on, since a second reading of the footer costs as much as the first.
        table = parquet.ParquetFile(
            stream, read_dictionary=list(dict.fromkeys(once)), metadata=table.metadata
        )
        batches = table.iter_batches(
            batch_size=batch, row_groups=list(groups), columns=list(dict.fromkeys(p.top for p in places))
        )
    except (arrow.ArrowException, OSError) as e:
        raise broken(e) from None
    layout = replace(layout, encoding="utf-8")  # Parquet is UTF-8, whatever encoding the other files have
    line = read = 0
    while True:
        try:
            batch = next(batches, None)
        except (arrow.ArrowException, OSError) as e:
            raise broken(e) from None
        if batch is None:
            return
        columns = [_held(arrow, batch, place, name) for place in places]
        read += _ROW * len(batch) + sum(len(c) for cells in columns for c in cells if isinstance(c, str))
        layout.limits.check_expansion(name, size, read)
        for cells in zip(*columns):
            line += 1
            try:
                yield (line, *read_document(cells, layout))
            except NoDocument as e:
                yield e.at(line)


class _Place:
    """The place of a field: a column, or `a.b` within a column of structs."""

    def __init__(self, arrow: Any, schema: Any, name: str, field: str, option: tuple[str, str]) -> None:
        self.field = field
        parts = [field] if field in schema.names or "." not in field else field.split(".")
        column_of(name, schema.names, parts[0], option, field=field)
        self.top, self.inner = parts[0], parts[1:]
        self.kind = schema.field(self.top).type
        for part in self.inner:
            inside = [f.name for f in self.kind] if arrow.types.is_struct(self.kind) else []
            if inside.count(part) != 1:
                raise BadSource(
                    f"{name}: expected a field {part!r} in column {field!r}, got {shown_names(inside) or self.kind}",
                    field_advice(part, inside, option),
                )
            self.kind = self.kind.field(part).type
        if arrow.types.is_dictionary(self.kind):
            self.kind = self.kind.value_type

    @property
    def is_text(self) -> bool:
        """Whether the field holds strings."""
        return not self.inner and str(self.kind) in ("string", "large_string", "string_view")

    def check_text(self, arrow: Any, layout: DocumentLayout, name: str) -> None:
        """Raise `BadSource` where the field holds no strings. A field of nulls alone is allowed: each of its rows is bad."""
        if str(self.kind) in ("string", "large_string", "string_view", "null"):
            return
        if self.field == layout.id != layout.field and arrow.types.is_integer(self.kind):
            return
        raise BadSource(
            f"{name}: expected strings in column {self.field!r}, got {self.kind}",
            "name another column, or convert it when the file is written",
        )


def _claimed(stream: BufferedReader, metadata: Any, columns: set[str], numbers: Iterable[int]) -> int:
    """Return the unpacked bytes of columns in row groups: the larger of the sizes that the footer and the pages name."""
    groups = [metadata.row_group(g) for g in numbers]
    chunks = [group.column(c) for group in groups for c in range(group.num_columns)]
    return sum(
        max(chunk.total_uncompressed_size, unpacked_size(stream, chunk))
        for chunk in chunks
        if any(chunk.path_in_schema == c or chunk.path_in_schema.startswith(f"{c}.") for c in columns)
    )


def _held(arrow: Any, batch: Any, place: _Place, name: str) -> list[object]:
    """Return the values of a field; raise `BadSource` for moments that no date of Python can hold."""
    try:
        return _cells(arrow, batch.column(place.top), place.inner)
    except (ValueError, OverflowError, arrow.ArrowException) as e:
        raise BadSource(
            f"{name}: expected values in column {place.field!r} that Python can hold, got {place.kind}: "
            f"{str(e).splitlines()[0]:.100}",
            "leave the column out, or convert it when the file is written",
        ) from None


def _cells(arrow: Any, column: Any, inner: list[str]) -> list[object]:
    """Return the values of a column; in a dictionary column, each text of the batch is decoded once."""
    if not arrow.types.is_dictionary(column.type):
        values = _decoded(_moments(arrow, column))
        return values if not inner else [_inside(value, inner) for value in values]
    indices, texts = column.indices, column.dictionary
    if len(texts) > len(column):  # one dictionary serves many batches
        used = indices.unique().drop_null()
        known = dict(zip(used.to_pylist(), _decoded(texts.take(used))))
        return [known.get(index) for index in indices.to_pylist()]
    table = _decoded(texts)
    return [None if index is None else table[index] for index in indices.to_pylist()]


def _moments(arrow: Any, column: Any) -> Any:
    """Return moments in microseconds, which Python has; moments that need nanoseconds become text."""
    if not arrow.types.is_timestamp(column.type):
        return column
    zone = None if column.type.tz is None else "UTC"
    try:
        return column.cast(arrow.timestamp("us", zone))
    except arrow.ArrowInvalid:
        return column.cast(arrow.timestamp(column.type.unit, zone)).cast(arrow.string())


def _decoded(column: Any) -> list[object]:
    try:
        return cast(list[object], column.to_pylist())
    except UnicodeDecodeError:
        return [_cell(value) for value in column]


def _inside(value: object, inner: list[str]) -> object:
    for name in inner:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _cell(value: Any) -> object:
    """Return a value; bytes that are no UTF-8 come out as the surrogates that `read_document` refuses."""
    try:
        return cast(object, value.as_py())
    except UnicodeDecodeError as e:
        return e.object.decode("utf-8", "surrogateescape")
