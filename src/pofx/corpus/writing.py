"""Rows are written to files in five formats: JSON lines, and CSV, TSV, Parquet and Arrow, which are made of JSON lines."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal

from pofx.corpus.arrow_file import ArrowFile
from pofx.corpus.parquet_file import ParquetFile
from pofx.corpus.source import Packing
from pofx.errors import BadSource, require
from pofx.files.urls import check_local

Kind = Literal[
    "text", "int", "float", "bool", "date", "time", "utc", "texts", "ints", "floats", "bools", "any"
]
_LISTS = {"texts", "ints", "floats", "bools"}

Format = Literal["jsonl", "csv", "tsv", "parquet", "arrow"]
_FORMATS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".arrow": "arrow",
}
# Formats of pyarrow, which are never packed from outside.
_OF_ARROW = ("parquet", "arrow")
_PACKINGS: dict[str, Packing] = {".gz": "gz", ".zst": "zst"}

# A row group of Parquet has so many rows, or 8 MiB of their JSON, whichever comes first; some 100 MB are needed to make it.
# The rows alone decide, never time or memory, so that the same rows make the same bytes.
GROUP_ROWS = 1 << 16
GROUP_BYTES = 1 << 23


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        name: The name of the column.
        kind: The kind of its cells, of which any may be None. "time" is a moment without a time zone and "utc" one with a
            zone; "texts", "ints", "floats" and "bools" are lists; "any" is any value of JSON.
    """

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Target:
    """A file to be written.

    Attributes:
        path: The path.
        format: The format of the rows.
        packing: How the file is packed.
    """

    path: Path
    format: Format
    packing: Packing


def target_of(path: str | os.PathLike[str]) -> Target:
    """Return the target of a path by its ending.

    The endings are .jsonl, .ndjson, .csv and .tsv (then .gz or .zst, to pack it), .parquet and .arrow.

    Args:
        path: The path.

    Raises:
        BadSource: The path has another ending.
        BadValue: The path is a URL.
        MissingExtra: pyarrow is missing for .parquet or .arrow, or zstandard for .zst.

    Right: `target_of("out.csv.gz")`. Wrong: `target_of("out.txt")`, which has no columns.
    """
    check_local(path)
    stem, last = os.path.splitext(os.fspath(path).lower())
    packing = _PACKINGS.get(last, "")
    if packing:
        last = os.path.splitext(stem)[1]
    if last not in _FORMATS or (packing and _FORMATS[last] in _OF_ARROW):
        found = f"{last}{'.' if packing else ''}{packing}" or "no ending"
        raise BadSource(
            f"{os.fspath(path)}: expected a file to write that ends in .jsonl, .csv or .tsv (then .gz or .zst, to pack "
            f"it) or in .parquet or .arrow, got {found}",
            "name a file with one of these endings",
        )
    if _FORMATS[last] in _OF_ARROW:
        require("pyarrow", "data", f"writing {last}")
    if packing == "zst":
        require("zstandard", "data", "writing .zst")
    return Target(Path(path), _FORMATS[last], packing)


def encode_row(row: Mapping[str, Any]) -> bytes:
    """Return a row as one line of strict JSON in UTF-8, in which ±∞ is a string and nan is null."""
    try:  # almost every row is plain as it is; to look at each value first takes three times as long
        return _dumped(row)
    except (ValueError, TypeError):
        return _dumped({name: _plain(value) for name, value in row.items()})


def _dumped(row: Mapping[str, Any]) -> bytes:
    return (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def kind_of_value(value: object) -> str:
    """Return the kind of a column that holds this value alone.

    The kind is "" for None, "any" where no other kind fits, and "list" for an empty list, which is of every kind of list.
    """
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return "int" if -(2**63) <= value < 2**63 else "any"
    if isinstance(value, datetime):
        return "time" if value.utcoffset() is None else "utc"
    if isinstance(value, list):
        held = {kind_of_value(v) for v in value} - {""}
        every = f"{common_kind(tuple(held))}s"
        return "list" if not held else every if every in _LISTS else "any"
    return {bool: "bool", float: "float", str: "text", date: "date"}.get(type(value), "any")


def common_kind(kinds: Sequence[str]) -> Kind:
    """Return the kind of a column with cells of these kinds: integers and floats make "float", another mixture "any"."""
    held = set(kinds) - {""}
    if held == {"list"}:
        return "texts"
    if held - {"list"} <= _LISTS:
        held -= {"list"}
    if not held:
        return "text"
    if held == {"int", "float"}:
        return "float"
    if held == {"ints", "floats"}:
        return "floats"
    if len(held) > 1:
        return "any"
    kind: Kind = held.pop()  # type: ignore[assignment]
    return kind


def target_writer(
    target: Target, columns: Sequence[Column], metadata: Mapping[str, Any]
) -> Callable[[Path, Path], None] | None:
    """Return a function of (file of `encode_row` lines, new file) that writes the target; None if the lines are the target.

    The function takes constant memory, and makes the same bytes of the same lines. Parquet and Arrow alone keep `metadata`.
    """
    if target.format == "jsonl":
        if not target.packing:
            return None
        return lambda rows, new: _pack(rows, new, target.packing)
    if target.format in _OF_ARROW:
        file = ParquetFile if target.format == "parquet" else ArrowFile
        return lambda rows, new: _of_arrow(rows, new, file, columns, metadata)
    return lambda rows, new: _delimited(
        rows, new, columns, "\t" if target.format == "tsv" else ",", target.packing
    )


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {_plain(str(k)): _plain(v) for k, v in value.items()}
    if isinstance(value, str):
        # A field that is only passed on may hold lone surrogates, which no UTF-8 spells.
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, date):  # a datetime is a date, too
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value if value is None or isinstance(value, bool | int | float) else _plain(str(value))


def _records(rows: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each row, and the number of bytes of its line."""
    with rows.open("rb") as f:
        for data in f:
            yield len(data), json.loads(data)


def _packed(stack: ExitStack, new: Path, packing: Packing) -> BinaryIO:
    raw = stack.enter_context(new.open("wb"))
    if packing == "gz":
        # The header has no time and no name, so that the same rows make the same file.
        return stack.enter_context(gzip.GzipFile("", "wb", fileobj=raw, mtime=0))  # type: ignore[return-value]
    if packing == "zst":
        zstandard = require("zstandard", "data", "writing .zst")
        out: BinaryIO = stack.enter_context(zstandard.ZstdCompressor().stream_writer(raw))
        return out
    return raw


def _pack(rows: Path, new: Path, packing: Packing) -> None:
    with rows.open("rb") as f, ExitStack() as stack:
        out = _packed(stack, new, packing)
        while chunk := f.read(1 << 20):
            out.write(chunk)


# --- csv and tsv ------------------------------------------------------------------------------------------


class _Echo:
    """A file for `csv.writer`, whose `write` returns the text that it gets."""

    def write(self, text: str) -> str:
        return text


def _delimited(rows: Path, new: Path, columns: Sequence[Column], delimiter: str, packing: Packing) -> None:
    # With the line ending \r\n `csv` quotes fields that hold \r or \n; with \n alone Python 3.11 leaves a lone \r unquoted.
    writer = csv.writer(_Echo(), delimiter=delimiter, lineterminator="\r\n")

    def written(cells: list[str]) -> str:
        out: Any = writer.writerow(cells)
        return str(out).removesuffix("\r\n") + "\n"

    with ExitStack() as stack:
        raw = _packed(stack, new, packing)
        out = stack.enter_context(io.TextIOWrapper(raw, encoding="utf-8", newline="", write_through=False))
        out.write(written([c.name for c in columns]))
        for _, row in _records(rows):
            out.write(written([_cell(row.get(c.name)) for c in columns]))


def _cell(value: Any) -> str:
    """Return a string as it is, nothing for None, anything else as JSON."""
    if isinstance(value, str):
        return value
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return repr(value)  # the spelling of JSON, in a sixth of the time
    return "" if value is None else json.dumps(value, ensure_ascii=False)


# --- parquet and arrow ------------------------------------------------------------------------------------


def parquet_metadata(metadata: Mapping[str, Any]) -> str:
    """Return the metadata of `target_writer` as the text that a file of Parquet or Arrow keeps."""
    return json.dumps(_plain(dict(metadata)), ensure_ascii=False)


def _of_arrow(
    rows: Path,
    new: Path,
    kind: type[ParquetFile] | type[ArrowFile],
    columns: Sequence[Column],
    metadata: Mapping[str, Any],
) -> None:
    # Python opens the file, since the library takes no name that is not UTF-8.
    with new.open("wb") as out, kind(out, columns, parquet_metadata(metadata)) as file:
        for group in _groups(rows):
            file.write({c.name: [_typed(row.get(c.name), c.kind) for row in group] for c in columns})


def _groups(rows: Path) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    size = 0
    for n, row in _records(rows):
        group.append(row)
        size += n
        if len(group) == GROUP_ROWS or size >= GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _typed(value: Any, kind: Kind) -> Any:
    """Return a value in its type of Parquet, since infinities and moments are strings in the rows; otherwise as JSON."""
    if value is None:
        return None
    if kind == "float":
        return float(value)
    if kind == "floats":
        return [None if v is None else float(v) for v in value]
    if kind == "date":
        return date.fromisoformat(value)
    if kind in ("time", "utc"):
        return datetime.fromisoformat(value)
    return _cell(value) if kind == "any" else value
