"""Sorted runs: the counts of a stretch of documents on disk, as many at a time as the memory allows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.prefix_table import Index, PackedStrings
from pofx.models.ngram.counting import Codes, HeldCounts, counted_blocks

# Bytes that a position of a block takes while the block is counted. `count_ngrams` says 100; short documents take more.
_POSITION = 130
# How many copies of the held rows a merge of parts makes. With 3 the peak was 20 % above the bound.
_COPIES = 5
_LEAST_BLOCK = 1 << 10


@dataclass(frozen=True)
class Run:
    """Distinct strings in rising order, and how often each string was an event, in two files.

    Attributes:
        stem: The path of both files without their endings.
        rows: How many strings the run has.
        words: How many words of 63 bits a string has.
    """

    stem: str
    rows: int
    words: int

    def read(self, start: int, rows: int) -> tuple[PackedStrings, Index]:
        """Read at most `rows` rows from the row `start` on.

        Returns:
            The strings, `[n, words]`, and how often each was an event, `[n]`.
        """
        at, n = 8 * start, min(rows, self.rows - start)
        if not n:
            return np.zeros((0, self.words), dtype=np.uint64), np.zeros(0, dtype=np.int64)
        words = np.fromfile(self._path("words"), np.uint64, n * self.words, offset=at * self.words)
        return words.reshape(n, self.words), np.fromfile(self._path("events"), np.int64, n, offset=at)

    def appended(self, words: PackedStrings, events: Index) -> Run:
        """Return the run with more strings, which come after all strings of the run; a run without rows is begun anew.

        Args:
            words: The strings, `[n, words]`, in rising order.
            events: How often each string was an event, `[n]`.
        """
        for name, rows in (("words", words), ("events", events)):
            with self._path(name).open("ab" if self.rows else "wb") as file:
                file.write(np.ascontiguousarray(rows).data)
        return Run(self.stem, self.rows + len(words), self.words)

    def remove(self) -> None:
        """Remove both files."""
        for name in ("words", "events"):
            self._path(name).unlink(missing_ok=True)

    @property
    def words_path(self) -> Path:
        """The file of the strings."""
        return self._path("words")

    def _path(self, name: str) -> Path:
        return Path(f"{self.stem}.{name}")


@dataclass(frozen=True)
class Runs:
    """What the counting of documents left on disk.

    Attributes:
        runs: The runs. A string may be in several of them.
        documents: How many documents were counted.
        tokens: How many tokens were events.
    """

    runs: tuple[Run, ...]
    documents: int
    tokens: int


def write_runs(
    documents: Iterable[NDArray[np.int64]], size: int, order: int, begin: bool, stem: str, memory: int
) -> Runs:
    """Count the n-grams of documents into runs.

    Args:
        documents: As in `count_ngrams`.
        size: As in `count_ngrams`.
        order: As in `count_ngrams`.
        begin: As in `count_ngrams`.
        stem: The path of the files of the runs, without a number and an ending.
        memory: About how many bytes the counts may take.

    Returns:
        The runs, and the numbers of documents and tokens.

    Raises:
        OSError: The disk is full.
    """
    packing = Codes(size).packing(order)
    block = max(_LEAST_BLOCK, memory // 2 // (_POSITION * packing.words))
    most = max(1, memory // 2 // (8 * (packing.words + 1) * _COPIES))
    held = HeldCounts(packing)
    runs: list[Run] = []
    # Blocks never exceed those of a fit in memory, since larger ones were no faster there.
    for counted in counted_blocks(documents, size, order, begin, min(block, 1 << 22)):
        held.add(counted)
        if held.rows >= most:
            runs.append(_written(held, f"{stem}-{len(runs)}"))
    if held.rows:
        runs.append(_written(held, f"{stem}-{len(runs)}"))
    return Runs(tuple(runs), held.documents, held.tokens)


def _written(held: HeldCounts, stem: str) -> Run:
    return Run(stem, 0, held.packing.words).appended(*held.merged())
