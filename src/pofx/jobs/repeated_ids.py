"""Ids that several rows of an input have: whoever joins files by id would mix such rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pofx.jobs.events import Notify, RepeatedId, UncomparedIds

if TYPE_CHECKING:
    from pofx.corpus.documents import BadRow, Document

# Ids that are remembered, by 64 bits of a hash and a place: some 130 MB. Two of so many agree by chance once in 10^7 runs.
MOST = 1_000_000


class RepeatedIds:
    """The ids of the rows so far. Not a record: rows are told to it."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._first: dict[int, int] = {}  # of a hash: the file's number and the line
        self._files: dict[str, int] = {}
        self._repeated: RepeatedId | None = None
        self._unseen = 0

    def watch(self, items: Iterator[Document | BadRow], notify: Notify) -> Iterator[Document | BadRow]:
        """The items themselves; behind the last one `notify` is told of the ids that were repeated."""
        for item in items:
            self._note(item)
            yield item
        if self._repeated is not None:
            notify(self._repeated)
        if self._unseen:
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
                self._unseen += 1
        elif self._repeated is not None:
            self._repeated = replace(self._repeated, more=self._repeated.more + 1)
        else:
            source = list(self._files)[first >> 48]
            at = f"{source}:{first & (1 << 48) - 1}"
            self._repeated = RepeatedId(item.id, at, f"{item.source}:{item.line}", 0)
