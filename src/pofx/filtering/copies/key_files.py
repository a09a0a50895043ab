"""Keys of documents in files on disk, parted by their first bits, so that equal keys meet in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# The most files of one table: each is opened for every batch of documents.
MOST_FILES = 256


class KeyFiles:
    """A table of (key, document) rows on disk. Local to one join.

    Rows are written in the order of the documents. Rows with equal keys are in one file, and one file is read at a time.
    """

    def __init__(self, directory: Path, name: str, words: int, documents: int, memory: int) -> None:
        """Make an empty table.

        Args:
            directory: The directory of the files.
            name: The first part of the names of the files.
            words: How many 64-bit words a key has.
            documents: About how many rows there will be.
            memory: About how many bytes a file takes in memory when it is read.
        """
        self._words = words
        # A file in memory is there three times: as it was read, its order, and sorted.
        n = -(-documents * 8 * (words + 1) * 3 // memory)
        self._bits = min(MOST_FILES - 1, max(0, n - 1)).bit_length()
        self._paths = [directory / f"{name}-{k:03d}" for k in range(1 << self._bits)]

    def add(self, keys: NDArray[np.uint64], documents: NDArray[np.int64]) -> None:
        """Append rows.

        Args:
            keys: The keys, `[n, words]`.
            documents: The place of each document in the input, `[n]`.
        """
        rows = np.concatenate([keys, documents.astype(np.uint64)[:, None]], axis=1).astype("<u8")
        # The first bits of a hash are uniform, so the files are of about equal size.
        part = keys[:, 0] >> np.uint64(64 - self._bits) if self._bits else np.zeros(len(keys), np.uint64)
        for k in np.unique(part).tolist():
            with self._paths[k].open("ab") as f:
                f.write(rows[part == k].tobytes())

    def groups(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield the documents of one file after the other, grouped by key.

        Yields:
            The documents and the groups, as `group_by_key` returns them.
        """
        for path in self._paths:
            if not path.exists():
                continue
            rows = np.fromfile(path, dtype="<u8").reshape(-1, self._words + 1).astype(np.uint64)
            yield group_by_key(rows[:, :-1], rows[:, -1].astype(np.int64))

    def remove(self) -> None:
        """Remove the files."""
        for path in self._paths:
            path.unlink(missing_ok=True)


def group_by_key(
    keys: NDArray[np.uint64], documents: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Group documents by their keys, whatever the order of the rows.

    Args:
        keys: The key of each document, `[n, words]`.
        documents: The documents, `[n]`; n is above 0.

    Returns:
        The documents sorted by key, `[n]`, and those with one key in rising order; and where each of the g groups begins,
        with n at the end, `[g + 1]`.
    """
    order = np.lexsort([documents, *keys.T[::-1]])
    keys = keys[order]
    change = np.flatnonzero((keys[1:] != keys[:-1]).any(axis=1)) + 1
    return documents[order], np.concatenate([[0], change, [len(keys)]])
