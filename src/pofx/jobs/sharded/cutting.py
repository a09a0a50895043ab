"""Files cut into units: lines at their ends, Parquet between row groups, anything else as whole files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from pofx.corpus.remote import url_fingerprint
from pofx.corpus.source import Source, source_of
from pofx.corpus.stretch import Stretch
from pofx.errors import BadSource, require
from pofx.files.urls import is_url
from pofx.jobs.documents import Documents, ReadOptions
from pofx.jobs.sharded.content import content_of_file, new_hash
from pofx.jobs.sharded.unit import Unit

_CHUNK = 1 << 20


def cut(documents: Documents, n_bytes: int, hashed: bool = True) -> Iterator[Unit]:
    """Cut the input of a job into units.

    A file whose rows are lines is cut after the first line that ends at `n_bytes` or later, and a Parquet file after the
    first row group that ends there. A packed file, an array of JSON, a table with quotes, a text with separators, a file in
    another encoding than UTF-8 and a URL are one unit each, since only a reader from the beginning knows where their rows
    begin.

    Args:
        documents: The input: files that can be read again.
        n_bytes: The size of a unit, bytes; the last line or row group is read to its end.
        hashed: Whether the units have the hashes of their bytes, by which a job that goes on finds an edited file.

    Yields:
        The units, in the order of the rows. A file without rows has no unit.

    Raises:
        BadSource: A Parquet file is damaged, or a URL cannot be read.
        OSError: A file cannot be read.

    Right: `list(cut(documents, 64 << 20))`. Wrong: `cut` of standard input, which cannot be read again.
    """
    number = 0
    for path in documents.files:
        source = source_of(path, documents.reading.format)
        for stretch, size, content in _stretches(source, documents.reading, n_bytes, hashed):
            modified, whole = (0, size) if is_url(path) else _stamp(path)
            yield Unit(number, path, stretch, size, content, modified, whole)
            number += 1


def _stamp(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size


def _stretches(
    source: Source, reading: ReadOptions, n_bytes: int, hashed: bool
) -> Iterator[tuple[Stretch | None, int, str]]:
    if is_url(source.path):
        yield None, source.size, url_fingerprint(source.path) if hashed else ""
    elif source.format == "parquet":
        yield from _row_groups(source, n_bytes, hashed)
    elif _has_lines(source, reading):
        yield from _lines(source, n_bytes, hashed)
    elif source.size:
        yield None, source.size, content_of_file(source.path) if hashed else ""


def _has_lines(source: Source, reading: ReadOptions) -> bool:
    """Return whether every line of the file is a row, or blank."""
    if source.packing or (reading.encoding or "utf-8").lower().replace("_", "-") not in ("utf-8", "utf8"):
        return False
    if source.format == "txt":
        return reading.split == "line" and reading.separator is None
    return source.format in ("jsonl", "fasttext") or (
        source.format in ("csv", "tsv") and reading.quoting == "none"
    )


def _lines(source: Source, n_bytes: int, hashed: bool) -> Iterator[tuple[Stretch, int, str]]:
    """Cut a file at ends of lines; one pass that counts the lines and hashes each stretch."""
    with open(source.path, "rb") as f:
        header = _header(f) if source.format in ("csv", "tsv") else 0
        header_lines = 0 if not header else _count(f, header)
        f.seek(0)
        start = at = lines = skipped = 0
        code = new_hash()
        while chunk := f.read(_CHUNK):
            while chunk:
                want = start + n_bytes - 1 - at  # the first byte at which a line may end the stretch
                end = chunk.find(b"\n", max(0, want)) + 1 if want < len(chunk) else 0
                part = chunk[:end] if end else chunk
                if hashed:
                    code.update(part)
                lines += part.count(b"\n")
                at += len(part)
                chunk = chunk[len(part) :]
                if end and at > header:
                    yield Stretch(start, at, skipped, header), at - start, code.hexdigest() if hashed else ""
                    start, skipped, code = at, lines - header_lines, new_hash()
        if at > start:
            yield Stretch(start, at, skipped, header), at - start, code.hexdigest() if hashed else ""


def _header(f: Any) -> int:
    """Return the bytes of the row that names the columns, with blank lines and Excel's `sep=` before it."""
    size = 0
    for line in f:
        size += len(line)
        text = line.removeprefix(b"\xef\xbb\xbf").strip()
        if text and not text.strip(b'"').lower().startswith(b"sep="):
            break
    return size


def _count(f: Any, n_bytes: int) -> int:
    f.seek(0)
    return int(f.read(n_bytes).count(b"\n"))


def _row_groups(source: Source, n_bytes: int, hashed: bool) -> Iterator[tuple[Stretch, int, str]]:
    parquet = require("pyarrow.parquet", "data", f"reading {source.name}")
    arrow = require("pyarrow", "data", f"reading {source.name}")
    try:
        with open(source.path, "rb") as f:
            table = parquet.read_metadata(f)
    except (arrow.ArrowException, OSError) as e:
        said = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise BadSource(
            f"{source.name}: expected a whole Parquet file, got: {said}", "fetch or write it again"
        ) from None
    content = content_of_file(source.path) if hashed else ""
    start = skipped = size = rows = 0
    for g in range(table.num_row_groups):
        group = table.row_group(g)
        size += sum(group.column(c).total_compressed_size for c in range(group.num_columns))
        rows += group.num_rows
        if size >= n_bytes or (g == table.num_row_groups - 1 and rows):
            yield Stretch(start, g + 1, skipped), size, content
            start, skipped, size, rows = g + 1, skipped + rows, 0, 0
