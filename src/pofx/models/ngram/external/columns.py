"""Columns on disk: arrays in files of a scratch directory, of which only the pages in use are in memory."""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadSource

Array = NDArray[Any]

# Columns up to so many bytes stay in memory, since reading their pages again after every chunk takes longer than the chunk.
_SMALL = 4 << 20


class Column:
    """An array in a file of its own: rows are appended, or the whole column is reserved with zeros and then written.

    No file stays open between two calls, so an error leaves none open.

    Args:
        path: The file of the column. With `rows` = 0 the file is made empty.
        dtype: The type of a number.
        width: How many numbers a row has, for an array `[rows, width]`; None for an array `[rows]`.
        rows: How many rows the file has already.
    """

    def __init__(self, path: Path, dtype: Any, width: int | None = None, rows: int = 0) -> None:
        self.path, self.dtype, self.width = path, np.dtype(dtype), width
        self._row_bytes = self.dtype.itemsize * (width or 1)
        if not rows:
            path.write_bytes(b"")
        self._rows = rows
        self._map: mmap.mmap | None = None

    def __len__(self) -> int:
        return self._rows

    def append(self, rows: Array) -> None:
        """Add rows at the end, `[n]` or `[n, width]`."""
        assert self._map is None  # noqa: S101  (ours: a column is written before anything reads it)
        with self.path.open("ab") as file:
            file.write(np.ascontiguousarray(rows, dtype=self.dtype).data)
        self._rows += len(rows)

    def reserve(self, rows: int) -> None:
        """Make the column `rows` zeros, and take the room on the disk, since a write to a map cannot report a full disk."""
        size = rows * self._row_bytes
        with self.path.open("rb+") as file:
            if size and hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
        self._rows = rows

    def array(self) -> Array:
        """Return the column as one array, `[rows]` or `[rows, width]`, which reads and writes the file."""
        shape = (self._rows,) if self.width is None else (self._rows, self.width)
        if not self._rows:
            return np.zeros(shape, dtype=self.dtype)
        if self._map is None:
            with self.path.open("rb+") as file:
                self._map = mmap.mmap(file.fileno(), self._rows * self._row_bytes)
        return np.frombuffer(self._map, dtype=self.dtype).reshape(shape)

    def release(self) -> None:
        """Take the pages of the column out of this process; the file keeps what was written."""
        large = self._rows * self._row_bytes > _SMALL
        if large and self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)

    def remove(self) -> None:
        """Remove the file, whose numbers nobody reads any longer."""
        self._map = None  # the map goes with the last array that stands on the map
        self.path.unlink(missing_ok=True)


def chunks(rows: int, size: int) -> Iterator[slice]:
    """Yield the slices of at most `size` rows that make up `rows` rows."""
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def failed_file(directory: Path, error: OSError) -> BadSource:
    """Return the error of a file that cannot be read or written, with the full disk of the scratch directory apart."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return BadSource(
            f"{directory}: expected room on the disk for the counts of n-grams, got: {error.strerror}",
            "free room there, or write the model to another disk",
        )
    return BadSource(
        f"{error.filename or directory}: expected a file that can be read and written, got: {error.strerror or error}",
        "check its permissions and its disk",
    )
