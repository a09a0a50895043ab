"""The unpacked size of a Parquet file, read from its page headers, since the footer may understate it."""

from __future__ import annotations

from io import BufferedReader
from typing import Any

_HEAD = 4096  # bytes of a page that are searched for its header at first
_MOST = 1 << 24  # bytes that are searched at last, since a header holds minima and maxima of any length
_DEPTH = 16


class BadPage(Exception):
    """No header stands where the page of a column should begin."""


def unpacked_size(stream: BufferedReader, chunk: Any) -> int:
    """Return the unpacked size of a column chunk in bytes, by the headers of its pages; no page is unpacked.

    Raises:
        BadPage: A header is malformed.
    """
    start, end = chunk.data_page_offset, chunk.total_compressed_size
    if chunk.has_dictionary_page and 0 < (chunk.dictionary_page_offset or 0) < start:
        start = chunk.dictionary_page_offset
    if not chunk.num_values:  # a writer may leave out the pages of a column without values
        return 0
    end += start
    total = 0
    while start < end:
        header, sizes = _header(stream, start)
        total += sizes[0]
        start += header + sizes[1]
    return total


def _header(stream: BufferedReader, at: int) -> tuple[int, tuple[int, int]]:
    """Return the length of the page header at a place, and the sizes of the page, unpacked and packed."""
    most = _HEAD
    while True:
        stream.seek(at)
        data = stream.read(most)
        reader = _Compact(data)
        try:
            sizes = reader.struct(0)
            break
        except IndexError:
            if len(data) < most or most >= _MOST:
                raise BadPage from None
            most *= 16
    found = sizes.get(2, -1), sizes.get(3, -1)
    if min(found) < 0:
        raise BadPage
    return reader.at, found


class _Compact:
    """A reader of the compact protocol of Thrift, which keeps the whole numbers of the outermost struct."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def struct(self, depth: int) -> dict[int, int]:
        if depth > _DEPTH:
            raise BadPage
        out: dict[int, int] = {}
        field = 0
        while head := self._byte():
            kind = head & 15
            field = field + (head >> 4) if head >> 4 else self._number()
            if kind not in (1, 2):  # the kind itself is the value of a boolean field
                out[field] = self._value(kind, depth)
        return out

    def _value(self, kind: int, depth: int) -> int:
        """Return the value if it is a whole number, and skip it otherwise."""
        if kind in (4, 5, 6):
            return self._number()
        if kind == 12:
            self.struct(depth + 1)
        elif kind in (9, 10):
            head = self._byte()
            n = self._varint() if head >> 4 == 15 else head >> 4
            for _ in range(n):
                self._value(3 if head & 15 in (1, 2) else head & 15, depth + 1)
        elif kind in (3, 7, 8):
            n = self._varint() if kind == 8 else 1 if kind == 3 else 8
            self.at += n
            if self.at > len(self.data):
                raise IndexError
        else:
            raise BadPage
        return 0

    def _byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def _varint(self) -> int:
        out = shift = 0
        while True:
            b = self._byte()
            out |= (b & 127) << shift
            shift += 7
            if b < 128:
                return out
            if shift > 63:
                raise BadPage

    def _number(self) -> int:
        n = self._varint()
        return (n >> 1) ^ -(n & 1)
