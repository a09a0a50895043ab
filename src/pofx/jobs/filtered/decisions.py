"""The decision about each document of a corpus: kept or not, why, and which document it is a copy of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.statistics.clusters import Labels
from pofx.errors import require
from pofx.filtering.copies.joining import Batches
from pofx.filtering.copies.signature import Dedupe
from pofx.filtering.copies.text_store import TextStore

COPY, NEAR_COPY = "copy", "near copy"
# A function with the arguments and the result of `join_copies`.
Join = Callable[[int, Batches, Batches, Dedupe, Path], tuple[Labels, Labels]]


@dataclass(frozen=True, eq=False)
class Decisions:
    """The copies of a corpus.

    Attributes:
        copy_of: For each document the number of the document that it is a copy of, `[n]`; its own number for no copy.
        exact: Whether the document is equal to an earlier one, `[n]`.
    """

    copy_of: NDArray[np.int64]
    exact: NDArray[np.bool_]

    def reasons(self, first: int, own: Sequence[str]) -> list[str]:
        """Return the final reasons of some documents that stand one after the other in the corpus.

        Args:
            first: The number of the first of these documents.
            own: The reasons of the first pass.

        Returns:
            For each document its own reason, else `COPY` or `NEAR_COPY`; "" for a document that is kept.
        """
        out = []
        for k, why in enumerate(own, first):
            copy = COPY if self.exact[k] else NEAR_COPY if self.copy_of[k] != k else ""
            out.append(why or copy)
        return out


def decide(n: int, parts: Sequence[Path], dedupe: Dedupe, directory: Path, join: Join) -> Decisions:
    """Find the copies of a corpus.

    An exact copy is a copy of the first document that is equal to it. Of each group of near copies, the first document that
    passes the filter is kept, and the others are copies of this document. In a group without such a document, the others are
    copies of the first document.

    Args:
        n: The number of documents.
        parts: The parts of the first pass, in the order of the units.
        dedupe: Which copies to find.
        directory: An empty directory for the files of the join.
        join: The join: `join_copies`, or a `RayJoin`, which returns the same.

    Returns:
        The copies.

    Raises:
        OSError: The disk is full.
    """
    numbers = np.arange(n, dtype=np.int64)
    if dedupe == "none" or not n:
        return Decisions(numbers, np.zeros(n, dtype=np.bool_))
    exact, near = join(
        n, lambda: column(parts, "signature"), lambda: column(parts, "text"), dedupe, directory
    )
    passing = np.zeros(n, dtype=np.bool_)
    at = 0
    for reasons in column(parts, "reason"):
        passing[at : at + len(reasons)] = [not r for r in reasons]
        at += len(reasons)
    is_copy = exact != numbers
    groups, at_first = np.unique(near[passing & ~is_copy], return_index=True)
    # By default the first document of each group stands for the group; where some document passes, the first of these does.
    first = numbers.copy()
    first[groups] = np.flatnonzero(passing & ~is_copy)[at_first]
    return Decisions(np.where(is_copy, exact, first[near]), is_copy)


def ids_of(numbers: NDArray[np.int64], parts: Sequence[Path], path: Path) -> TextStore:
    """Copy the ids of some documents into a file on disk.

    Args:
        numbers: The numbers of the documents in the corpus, in rising order.
        parts: The parts of the first pass, in the order of the units.
        path: The file.

    Returns:
        The ids by the numbers of the documents; the caller closes the store.
    """
    store = TextStore(path)
    at = 0
    for ids in column(parts, "id"):
        low, high = np.searchsorted(numbers, (at, at + len(ids)))
        some = numbers[low:high]
        store.add(some, [ids[k - at] for k in some.tolist()])
        at += len(ids)
    store.close()
    return store


def column(parts: Sequence[Path], name: str) -> Iterator[list[Any]]:
    """Yield the values of the column `name` of all parts, in order, a row group at a time."""
    parquet = require("pyarrow.parquet", "data", "reading Parquet")
    for part in parts:
        with part.open("rb") as f:
            file = parquet.ParquetFile(f)
            for g in range(file.num_row_groups):
                yield file.read_row_group(g, columns=[name]).column(0).to_pylist()
