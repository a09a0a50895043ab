"""Texts on disk by the number of their document, for reading in any order."""

from __future__ import annotations

import mmap
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray


class TextStore:
    """Texts of some documents in one file; memory holds at most 32 bytes a text. Local to one join.

    The texts are added first, then `close` ends the writing, and then each text can be read by its number.

    Args:
        path: The file, which is made anew.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("w+b")
        self._numbers: list[NDArray[np.int64]] = []
        self._sizes: list[NDArray[np.int64]] = []
        self._map: mmap.mmap | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._map is not None:
            self._map.close()
        self._file.close()

    def add(self, numbers: NDArray[np.int64], texts: list[str]) -> None:
        """Append texts, whose numbers rise from call to call.

        Args:
            numbers: The numbers of the documents, `[n]`, in rising order.
            texts: The texts of the documents, in the same order.
        """
        data = [t.encode("utf-8") for t in texts]
        self._file.write(b"".join(data))
        self._numbers.append(numbers)
        self._sizes.append(np.array([len(d) for d in data], dtype=np.int64))

    def close(self) -> None:
        """End the writing; only then can texts be read."""
        self._file.flush()
        self._at = np.concatenate([np.zeros(0, np.int64), *self._numbers])
        self._ends = np.cumsum(np.concatenate([np.zeros(1, np.int64), *self._sizes]))
        if self._ends[-1]:
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)

    def __getitem__(self, number: int) -> str:
        """Return the text of a document that was added."""
        k = int(np.searchsorted(self._at, number))
        assert self._at[k] == number  # noqa: S101  (ours: whoever asks has added the text)
        data = b"" if self._map is None else self._map[self._ends[k] : self._ends[k + 1]]
        return data.decode("utf-8")
