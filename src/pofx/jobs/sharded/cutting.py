"""Files cut into units: at the ends of lines or records, Parquet between row groups, anything else as whole files."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pofx.corpus.remote import can_be_cut, open_url, url_fingerprint
from pofx.corpus.source import Source, source_of
from pofx.corpus.stretch import Stretch
from pofx.errors import BadSource, require
from pofx.files.urls import is_url
from pofx.jobs.documents import Documents, ReadOptions
from pofx.jobs.sharded.content import content_of_file
from pofx.jobs.sharded.row_cuts import FindEnds, find_ends_of, hashed_stretches, stretches
from pofx.jobs.sharded.unit import Unit


def cut(documents: Documents, n_bytes: int, hashed: bool = True) -> Iterator[Unit]:
    """Cut the input of a job into units.

    A file whose rows are lines is cut after the first line that ends at `n_bytes` or later, a table with quotes after the
    first record, and a Parquet file after the first row group. A packed file or a URL is read once for this purpose, if it
    has more than `n_bytes` bytes; a smaller one is one unit. An array of JSON, a text with separators, a file in another
    encoding than UTF-8, and a URL whose store gives no ranges or no mark of the content are one unit each.

    Args:
        documents: The input: files that can be read again.
        n_bytes: The size of a unit, bytes, unpacked; the last row or row group is read to its end.
        hashed: Whether the units have the hashes of their bytes, by which a job that goes on finds an edited file.

    Yields:
        The units, in the order of the rows. A file without rows has no unit. A packed file that cannot be unpacked has a
        last unit that meets the fault.

    Raises:
        BadSource: A Parquet file is damaged, or a URL cannot be read.
        OSError: A file cannot be read.

    Right: `list(cut(documents, 64 << 20))`. Wrong: `cut` of standard input, which cannot be read again.
    """
    number = 0
    for path in documents.files:
        source = source_of(path, documents.reading.format)
        size = source.size
        modified = 0 if is_url(path) else os.stat(path).st_mtime_ns
        for stretch, own, content in _stretches(source, size, documents.reading, n_bytes, hashed):
            yield Unit(number, path, stretch, own, content, modified, size)
            number += 1


def _stretches(
    source: Source, size: int, reading: ReadOptions, n_bytes: int, hashed: bool
) -> Iterator[tuple[Stretch | None, int, str]]:
    """Yield each stretch with its own bytes of the file and the hash; None is the whole file."""
    url, find_ends = is_url(source.path), find_ends_of(source, reading)
    if find_ends is not None and not (url or source.packing):
        yield from hashed_stretches(source, reading, find_ends, n_bytes, hashed)
        return
    if not size and not url:
        return
    content = ""
    if hashed:
        # The mark comes before the reading, so that a URL that is replaced in between is found edited.
        content = url_fingerprint(source.path) if url else content_of_file(source.path)
    for stretch, own in _unhashed(source, size, reading, find_ends, n_bytes):
        yield stretch, own, content


def _unhashed(
    source: Source, size: int, reading: ReadOptions, find_ends: FindEnds | None, n_bytes: int
) -> Iterator[tuple[Stretch | None, int]]:
    url = is_url(source.path)
    if url and (size <= n_bytes or not can_be_cut(source.path)):
        yield None, size
    elif source.format == "parquet":
        yield from _row_groups(source, n_bytes)
    elif find_ends is None or size <= n_bytes:
        yield None, size
    else:
        found = list(stretches(source, reading, find_ends, n_bytes))
        total = sum(n for _, n in found)
        at = 0
        for stretch, n in found:
            # The bytes of a packed file are dealt out in proportion to what they unpack to.
            yield stretch, size * (at + n) // total - size * at // total
            at += n


def _row_groups(source: Source, n_bytes: int) -> Iterator[tuple[Stretch, int]]:
    parquet = require("pyarrow.parquet", "data", f"reading {source.name}")
    arrow = require("pyarrow", "data", f"reading {source.name}")
    try:
        with open_url(source.path) if is_url(source.path) else open(source.path, "rb") as f:
            table = parquet.read_metadata(f)
    except (arrow.ArrowException, OSError) as e:
        said = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise BadSource(
            f"{source.name}: expected a whole Parquet file, got: {said}", "fetch or write it again"
        ) from None
    start = skipped = size = rows = 0
    for g in range(table.num_row_groups):
        group = table.row_group(g)
        size += sum(group.column(c).total_compressed_size for c in range(group.num_columns))
        rows += group.num_rows
        if size >= n_bytes or (g == table.num_row_groups - 1 and rows):
            yield Stretch(start, g + 1, skipped), size
            start, skipped, size, rows = g + 1, skipped + rows, 0, 0
