"""Files as rows, in five formats. What is wrong with one row never ends the reading."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BufferedReader
from typing import Any, Literal, cast

from pofx.errors import BadSource, require
from pofx.source import Source
from pofx.streams import blocks, lines, opened, pieces, without_bom

Split = Literal["line", "file"]
# Text, and where the format has fields: the id, the prefix, and the fields that are kept; in a row behind its line.
Content = tuple[str, str | None, str | None, tuple[object, ...]]
Row = tuple[int, str, str | None, str | None, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that holds no document: its line, what was expected there and what was found; the rest as in a `Row`."""

    line: int
    why: str
    id: str | None = None
    kept: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """Many lines of text at once, the first of them at `line`; an empty one is a blank."""

    line: int
    texts: list[str]


@dataclass(frozen=True)
class Layout:
    """Where the documents stand in a file: `split` and `separator` for txt, the fields for the rest."""

    field: str = "text"
    id: str | None = None
    split: Split = "line"
    separator: str | None = None
    given: str | None = None
    keep: tuple[str, ...] = ()

    @cached_property
    def needed(self) -> list[str]:
        """The fields that every row must have."""
        return [name for name in (self.field, self.id, self.given) if name is not None]

    @cached_property
    def columns(self) -> list[str]:
        """All fields that are read: those needed, then those kept."""
        return [*self.needed, *self.keep]


# What a reader meets: a document, a run of lines, a bad row, or a blank.
Found = Row | Run | Fault | None


class _NotHere(Exception):
    """Why a row holds no document; its id and kept fields where they are known all the same."""

    id: str | None = None
    kept: tuple[object, ...] = ()

    def at(self, line: int) -> Fault:
        return Fault(line, str(self), self.id, self.kept)


def rows(source: Source, layout: Layout) -> Iterator[Found]:
    """The rows of one file in order, in constant memory: a document, a fault, or None for a blank.

    `BadSource` where the file itself is at fault: then everything whole before that place has been yielded.
    Right: `for row in rows(source, Layout()): …`. Wrong: `list(rows(…))` of a file larger than the memory.
    """
    with opened(source) as stream:
        if source.format == "txt":
            yield from _text_rows(source.name, stream, layout)
        elif source.format == "jsonl":
            yield from _json_rows(source.name, stream, layout)
        elif source.format == "parquet":
            yield from _parquet_rows(source.name, stream, layout)
        else:
            yield from _csv_rows(source.name, stream, layout, "\t" if source.format == "tsv" else ",")


# --- txt --------------------------------------------------------------------------------------------------


def _text_rows(name: str, stream: BufferedReader, layout: Layout) -> Iterator[Found]:
    if layout.separator is not None:
        yield from _separated_rows(name, stream, layout.separator)
        return
    if layout.split == "file":
        data = without_bom(name, stream.read())
        try:
            yield (1, data.decode(), None, None, ()) if data else None
        except UnicodeDecodeError as e:
            yield Fault(1, _not_utf8(e, "file"))
        return
    line = 1
    for block in blocks(name, stream):
        # By the block is twice as fast as by the line; only one with a fault is taken apart first.
        try:
            run = _cut(block.decode())
        except UnicodeDecodeError:
            for data in block.removesuffix(b"\n").split(b"\n"):
                try:
                    yield Run(line, _cut(data.decode() + "\n"))
                except UnicodeDecodeError as e:
                    yield Fault(line, _not_utf8(e, "line"))
                line += 1
        else:
            yield Run(line, run)
            line += len(run)


def _cut(text: str) -> list[str]:
    r"""Lines without their endings, \n or \r\n. Not str.splitlines, which cuts at U+2028 as well."""
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
    return text.removesuffix("\n").split("\n")


def _separated_rows(name: str, stream: BufferedReader, separator: str) -> Iterator[Found]:
    mark = separator.encode("utf-8")
    line, k = 1, 0
    for piece, is_last in pieces(name, stream, mark):
        data = piece
        if is_last:
            # The line ending that editors put at the end of a file is no part of its last document.
            data = piece.removesuffix(b"\r\n") if piece.endswith(b"\r\n") else piece.removesuffix(b"\n")
        k += bool(data)
        try:
            text = data.decode()
        except UnicodeDecodeError as e:
            yield Fault(line, _not_utf8(e, "document"))
        else:
            yield (line, text, f"{name}#{k}", None, ()) if text else None
        line += piece.count(b"\n") + mark.count(b"\n")


def _not_utf8(e: UnicodeDecodeError, where: str) -> str:
    return f"expected UTF-8, found byte 0x{e.object[e.start]:02X} at byte {e.start} of the {where}"


# --- jsonl ------------------------------------------------------------------------------------------------


def _json_rows(name: str, stream: BufferedReader, layout: Layout) -> Iterator[Found]:
    for line, data in enumerate(lines(name, stream), 1):
        if not data.strip():
            yield None
            continue
        try:
            yield (line, *_json_document(data, layout))
        except _NotHere as e:
            yield e.at(line)


def _json_document(data: bytes, layout: Layout) -> Content:
    try:
        record = json.loads(data.decode())
    except UnicodeDecodeError as e:
        raise _NotHere(_not_utf8(e, "line")) from None
    except json.JSONDecodeError as e:
        raise _NotHere(f"expected a JSON object, found no JSON: {e.msg} at character {e.pos}") from None
    except RecursionError:
        raise _NotHere("expected a JSON object, found one nested too deep to be read") from None
    except ValueError as e:  # an integer of more digits than Python reads
        raise _NotHere(f"expected a JSON object, found no JSON that Python reads: {e}") from None
    if not isinstance(record, dict):
        raise _NotHere(f"expected a JSON object, found {_kind(record)}")
    return _document([record.get(name, _MISSING) for name in layout.columns], layout, record)


# A field that an object of JSON does not have, where null is one that it has.
_MISSING = object()


def _document(cells: Sequence[object], layout: Layout, record: Iterable[object] = ()) -> Content:
    """Text, id, prefix and kept fields out of a row's cells, which stand in the order of `columns`."""
    if len(cells) == 1:
        return _checked(cells[0], layout.field, record), None, None, ()
    at = len(layout.needed)
    kept = tuple(None if cell is _MISSING else cell for cell in cells[at:])
    id_ = given = None
    try:
        if layout.id is not None:
            id_ = _as_id(cells[1], layout.id, record)
        text = _checked(cells[0], layout.field, record)
        if layout.given is not None:
            given = _checked(cells[at - 1], layout.given, record)
    except _NotHere as e:
        e.id, e.kept = id_, kept
        raise
    return text, id_, given, kept


def _checked(value: object, field: str, record: Iterable[object] = ()) -> str:
    """The value as a text that UTF-8 can spell, or `_NotHere`. record: the fields there are, for a message."""
    if not isinstance(value, str):
        if value is _MISSING:
            raise _NotHere(f"expected a field {field!r}, found {listed(record) or 'no fields'}")
        raise _NotHere(f"expected a string in field {field!r}, found {_kind(value)}")
    try:
        value.isascii() or value.encode()
    except UnicodeEncodeError as e:
        code = ord(value[e.start])
        # CSV is decoded with surrogateescape, which spells the stray byte XX as U+DCXX.
        found = (
            f"byte 0x{code - 0xDC00:02X}" if 0xDC80 <= code <= 0xDCFF else f"the lone surrogate U+{code:04X}"
        )
        raise _NotHere(
            f"expected Unicode text in field {field!r}, found {found} at character {e.start}"
        ) from None
    return value


def _as_id(value: object, field: str, record: Iterable[object]) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) and value is not _MISSING:
        raise _NotHere(f"expected a string or an integer in field {field!r}, found {_kind(value)}")
    return _checked(value, field, record)


def _kind(value: object) -> str:
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", list: "an array"}
    return {**names, dict: "an object", str: "a string"}.get(type(value), type(value).__name__)


def listed(names: Any) -> str:
    """The first names for a message, each cut short: a hostile file may have a million, or one of 50 MB."""
    shown = [repr(str(n)[:40]) for n, _ in zip(names, range(10))]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


# --- csv and tsv ------------------------------------------------------------------------------------------


def _csv_rows(name: str, stream: BufferedReader, layout: Layout, delimiter: str) -> Iterator[Found]:
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
            places = [_column(name, header, wanted) for wanted in layout.columns]
        elif len(row) != len(header):
            yield Fault(
                line,
                f"expected {len(header)} columns as in the header, found {len(row)} "
                "(a field that holds the separator must be quoted)",
            )
        else:
            try:
                yield (line, *_document([row[at] for at in places], layout))
            except _NotHere as e:
                yield e.at(line)


def _csv_fault(e: csv.Error) -> str:
    """Python's words for it, except where they speak of Python's own arguments."""
    said = str(e)
    if "end of data" in said:
        return "a quote that is never closed"
    return "a lone carriage return outside quotes" if "new-line" in said else said


def _column(name: str, columns: list[str], wanted: str) -> int:
    """The place of a column, or `BadSource` that names those there are."""
    if columns.count(wanted) != 1:
        found = "it twice in" if wanted in columns else "only"
        raise BadSource(
            f"{name}: expected one column {wanted!r}, found {found} {listed(columns) or 'no columns'}; "
            "name the column of the documents: field=…"
        )
    return columns.index(wanted)


# --- parquet ----------------------------------------------------------------------------------------------


def _parquet_rows(name: str, stream: BufferedReader, layout: Layout) -> Iterator[Found]:
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
        _column(name, schema.names, column)
    for column in layout.needed:
        kind = schema.types[_column(name, schema.names, column)]
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
                yield (line, *_document(cells, layout))
            except _NotHere as e:
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
