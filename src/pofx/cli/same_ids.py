"""Ids that several rows of an input have, on standard error: whoever joins files by id would mix such rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pofx.corpus import BadRow, Document

# Ids that are remembered, by 64 bits of a hash and a place: some 130 MB. Two of so many agree by chance once in 10^7 runs.
MOST = 1_000_000


class SameIds:
    """The ids of the rows so far. Not a record: rows are told to it."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._first: dict[int, int] = {}  # of a hash: the file's number and the line
        self._files: dict[str, int] = {}
        self._told = ""
        self._more = 0
        self._unseen = 0

    def watched(self, items: Iterator[Document | BadRow]) -> Iterator[Document | BadRow]:
        """The items themselves, and at their end a warning."""
        for item in items:
            self._saw(item)
            yield item
        self.rest()

    def _saw(self, item: Document | BadRow) -> None:
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
        elif self._told:
            self._more += 1
        else:
            source = list(self._files)[first >> 48]
            shown = item.id if len(item.id) <= 80 else item.id[:79] + "…"
            self._told = (
                f"id {shown!r} stands at {source}:{first & (1 << 48) - 1} and {item.source}:{item.line}"
            )

    def rest(self) -> None:
        """Say what was found."""
        if self._told:
            rows = "1 more row repeats" if self._more == 1 else f"{self._more:,} more rows repeat"
            more = f", and {rows} an id" if self._more else ""
            click.echo(
                f"pofx: warning: {self._told}{more}; to tell rows apart, name a field that differs: --id",
                err=True,
            )
        if self._unseen:
            click.echo(
                f"pofx: warning: ids were compared with the first {self._most:,} different ones only; "
                "sort the ids to find what else is repeated",
                err=True,
            )
