"""A stretch of a file: a run of whole rows that can be read without the rows before it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Stretch:
    """A run of whole rows of a file.

    Attributes:
        start: The first byte of the first row, unpacked; in Parquet the first row group.
        stop: The byte after the last row, unpacked; in Parquet the row group after the last one.
        skipped: How many lines (in Parquet rows) of the file stand before the stretch and are not read, so that the rows
            have the line numbers of the whole file.
        header: How many bytes at the beginning of the file are read before the stretch: the names of columns; 0 for none.
        packed: For a packed file, the packed bytes before the member in which or before which the stretch begins.
        unpacked: For a packed file, the unpacked bytes before this member. `start - unpacked` bytes are read and dropped.

    Right: `Stretch(0, 10, 0)` for the first rows, if byte 9 ends a line. Wrong: a `stop` in the middle of a row, whose
    halves are two bad rows.
    """

    start: int
    stop: int
    skipped: int
    header: int = 0
    packed: int = 0
    unpacked: int = 0

    @property
    def begins_file(self) -> bool:
        """Whether no row of the file stands before the stretch."""
        return self.start <= self.header


def bytes_of(stretch: Stretch, raw: Any) -> io.BufferedReader:
    """Return the header and the bytes of a stretch as one stream.

    Args:
        stretch: The stretch.
        raw: The open file, which can seek.
    """
    parts = [(stretch.start, stretch.stop)]
    if stretch.header and not stretch.begins_file:
        parts.insert(0, (0, stretch.header))
    elif stretch.begins_file:
        parts = [(0, stretch.stop)]
    return io.BufferedReader(_Parts(raw, parts), _CHUNK)


class _Parts(io.RawIOBase):
    """Some parts of a file, one after the other."""

    def __init__(self, raw: Any, parts: list[tuple[int, int]]) -> None:
        self._raw, self._parts = raw, parts
        self._at: int | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        while self._parts:
            start, stop = self._parts[0]
            if self._at is None:
                self._at = self._raw.seek(start)
            data = self._raw.read(min(len(into), stop - self._at))
            if data:
                self._at += len(data)
                into[: len(data)] = data
                return len(data)
            self._parts.pop(0)
            self._at = None
        return 0
