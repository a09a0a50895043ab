"""A check for ids that several rows of an input share, since a join of files by id would mix such rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pofx.jobs.events import Notify, RepeatedId, UncomparedIds

if TYPE_CHECKING:
    from pofx.corpus.bad_rows import BadRow
    from pofx.corpus.documents import Document

# The most ids that are remembered, each as 64 bits of a hash and a place, in some 130 MB. Two different ids among so many
# have the same hash once in 10^7 runs.
MOST = 1_000_000


class RepeatedIds:
    """The ids of the rows so far, to which each row adds its id.

    Args:
        most: The most different ids that are remembered.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._first: dict[int, int] = {}  # hash: number of the file << 48 | line
        self._files: dict[str, int] = {}
        self._repeated: RepeatedId | None = None
        self._uncompared = 0

    def watch(self, items: Iterator[Document | BadRow], notify: Notify) -> Iterator[Document | BadRow]:
        """Yield the items themselves, unchanged.

        Args:
            items: Documents and bad rows.
            notify: A function that is called, after the last item, with the first id that was repeated.
        """
        for item in items:
            self._note(item)
            yield item
        if self._repeated is not None:
            notify(self._repeated)
        if self._uncompared:
            notify(UncomparedIds(self._most))

    def _note(self, item: Document | BadRow) -> None:
        if not item.id:  # a bad row whose id is not known
            return
        name = item.id.encode("utf-8", "surrogatepass")
        key = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big")
        place = len(self._files)
        place = self._files.setdefault(item.source, place) << 48 | item.line
        first = self._first.get(key)
        if first is None:
            if len(self._first) < self._most:
                self._first[key] = place
            else:
                self._uncompared += 1
        elif self._repeated is not None:
            self._repeated = replace(self._repeated, more=self._repeated.more + 1)
        else:
            source = list(self._files)[first >> 48]
            at = f"{source}:{first & (1 << 48) - 1}"
            self._repeated = RepeatedId(item.id, at, f"{item.source}:{item.line}", 0)
