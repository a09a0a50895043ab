"""Stretches of a file of lines or records, found by one pass over its bytes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np

from pofx.corpus.row_ends import Ends, RecordEnds, line_ends
from pofx.corpus.source import Source
from pofx.corpus.streams import open_bytes, read_line_blocks
from pofx.corpus.stretch import Stretch
from pofx.errors import BadSource
from pofx.files.limits import Limits, too_long
from pofx.jobs.documents import ReadOptions
from pofx.jobs.sharded.content import content_of_stretch, new_hash

# A unit of a packed file reads and drops at most so many times its own bytes; the last unit may be smaller, and drop more.
# gzip unpacks 200 MB a second here, and an n-gram scores 1.4 MB a second, so a unit takes up to 45 % longer. The first 64
# units take 22 % longer on average.
_DROPPED = 64
# The end of the last stretch of a file that cannot be read to its end.
_TO_THE_END = 1 << 62

FindEnds = Callable[[bytes], Ends]


def find_ends_of(source: Source, reading: ReadOptions) -> FindEnds | None:
    """Return the function that finds the ends of rows in the blocks of a file; None if no such function finds them.

    Parquet, an array of JSON, a text with separators or of one document, and an encoding other than UTF-8 have none.
    """
    if (reading.encoding or "utf-8").lower().replace("_", "-") not in ("utf-8", "utf8"):
        return None
    if source.format in ("csv", "tsv") and reading.quoting != "none":
        return RecordEnds(reading.delimiter or ("\t" if source.format == "tsv" else ","))
    if source.format == "txt" and (reading.split != "line" or reading.separator is not None):
        return None
    return line_ends if source.format in ("txt", "jsonl", "fasttext", "csv", "tsv") else None


def hashed_stretches(
    source: Source, reading: ReadOptions, find_ends: FindEnds, n_bytes: int, hashed: bool
) -> Iterator[tuple[Stretch, int, str]]:
    """Cut a file of this machine that is not packed, and hash each stretch.

    Args:
        source: The file.
        reading: How the file is read.
        find_ends: The function that finds the ends of rows.
        n_bytes: The least size of a stretch, bytes; the last stretch may be smaller.
        hashed: Whether the hashes are computed.

    Yields:
        Each stretch, its number of bytes, and the hash of these bytes; "" in place of a hash that is not computed. If the
        file has a fault before its end, the last stretch goes to the end, and its reader meets the fault.

    Raises:
        OSError: The file is gone, or its rest cannot be read.
    """
    code = new_hash()
    for part, stretch in _pieces(source, reading, find_ends, n_bytes):
        if hashed:
            code.update(part)
        if stretch is None:
            continue
        content = code.hexdigest()
        if stretch.stop == _TO_THE_END:
            stretch = Stretch(stretch.start, os.path.getsize(source.path), stretch.skipped, stretch.header)
            content = content_of_stretch(source.path, stretch) if hashed else ""
        yield stretch, stretch.stop - stretch.start, content if hashed else ""
        code = new_hash()


def stretches(
    source: Source, reading: ReadOptions, find_ends: FindEnds, n_bytes: int
) -> Iterator[tuple[Stretch, int]]:
    """Cut a file, which may be packed or a URL.

    Args:
        source: The file.
        reading: How the file is read.
        find_ends: The function that finds the ends of rows.
        n_bytes: The least size of a stretch, unpacked bytes. A later stretch of a packed file may have to be larger, so that
            its reader drops at most 64 times as many bytes.

    Yields:
        Each stretch, and the number of unpacked bytes that were found there, at least 1. A fault ends the last stretch as
        in `hashed_stretches`.
    """
    n = 0
    for part, stretch in _pieces(source, reading, find_ends, n_bytes):
        n += len(part)
        if stretch is not None:
            yield stretch, max(n, 1)
            n = 0


def _pieces(
    source: Source, reading: ReadOptions, find_ends: FindEnds, n_bytes: int
) -> Iterator[tuple[bytes, Stretch | None]]:
    """Yield all bytes of a file in pieces, each with the stretch that ends there; None if no stretch ends there.

    If the file has a fault before its end, the last stretch goes to the end, and its reader meets the fault.
    """
    limits = Limits(reading.max_document, reading.max_expansion)
    cuts = _Cuts(source, n_bytes, limits)
    try:
        with open_bytes(source, limits, cuts.begin_member) as stream:
            for block in read_line_blocks(source.name, stream, limits):
                yield from cuts.of_block(block, find_ends(block))
    except BadSource:
        yield b"", cuts.last(_TO_THE_END)
    else:
        if cuts.at > cuts.start:
            yield b"", cuts.last(cuts.at)


class _Cuts:
    """The place of the latest cut, and the numbers that a stretch from there needs. Local to one pass."""

    def __init__(self, source: Source, n_bytes: int, limits: Limits) -> None:
        self.start = self.at = 0
        self._n_bytes, self._name, self._limits = n_bytes, source.name, limits
        self._lines = self._skipped = 0
        # The bytes read while the row that names the columns has no end yet; None once its end is known, or without columns.
        self._head: bytes | None = b"" if source.format in ("csv", "tsv") else None
        self._header = self._header_lines = 0
        # The packed and unpacked bytes before a member: first of the last member that begins at the latest cut or earlier,
        # then of the members that begin later.
        self._members: deque[tuple[int, int]] = deque([(0, 0)])

    def begin_member(self, packed: int, unpacked: int) -> None:
        """Note that a member of a packed file begins after so many packed and unpacked bytes."""
        self._members.append((packed, unpacked))

    def of_block(self, block: bytes, ends: Ends) -> Iterator[tuple[bytes, Stretch | None]]:
        """Yield the next block in pieces, given the ends of its rows."""
        if self._head is not None:
            self._find_header(block, ends)
        base, taken = self.at, 0
        while self._head is None:
            least = max(self.start + self._size(), self._header + 1) - base
            k = int(np.searchsorted(ends, least))
            if k == len(ends):
                break
            piece = block[taken : int(ends[k])]
            self._take(piece)
            taken += len(piece)
            yield piece, self.last(self.at)
            self.start, self._skipped = self.at, self._lines - self._header_lines
        self._take(block[taken:])
        yield block[taken:], None

    def last(self, stop: int) -> Stretch:
        """Return the stretch from the latest cut to `stop`."""
        packed, unpacked = self._member()
        return Stretch(self.start, stop, self._skipped, self._header, packed, unpacked)

    def _take(self, piece: bytes) -> None:
        self._lines += piece.count(b"\n")
        self.at += len(piece)

    def _member(self) -> tuple[int, int]:
        """Return the last member that begins at the latest cut or before it."""
        while len(self._members) > 1 and self._members[1][1] <= self.start:
            self._members.popleft()
        return self._members[0]

    def _size(self) -> int:
        return max(self._n_bytes, (self.start - self._member()[1]) // _DROPPED)

    def _find_header(self, block: bytes, ends: Ends) -> None:
        """Find the end of the row that names the columns, with blank lines and Excel's `sep=` before it."""
        held, begin = self._head or b"", 0
        for end in ends.tolist():
            row = held + block[begin:end] if begin == 0 else block[begin:end]
            text = row.removeprefix(b"\xef\xbb\xbf").strip()
            if text and not text.strip(b'"').lower().startswith(b"sep="):
                self._header = self.at + end
                self._header_lines = self._lines + block.count(b"\n", 0, end)
                self._head = None
                return
            begin, held = end, b""
        self._head = held + block[begin:]
        if len(self._head) > self._limits.document:
            raise too_long(self._name, 1, self._limits)
