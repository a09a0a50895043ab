"""What `pofx score FILE…` scores: documents, each with the prefix it stands behind, and the rows that hold none."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pofx.cli.bad_rows import left_out
from pofx.cli.same_ids import SameIds
from pofx.errors import BadSource

if TYPE_CHECKING:
    from pofx.cli.layout import Layout
    from pofx.corpus import BadRow, Document, Records
    from pofx.lm import LM
    from pofx.queries.stream import Ask

STDIN = "-"


@dataclass(frozen=True)
class Input:
    """Files and how documents lie in them; `given` is a prefix for all, `given_field` names a row's own.

    named: files, directories and patterns, as the user wrote them.
    """

    named: tuple[str, ...]
    layout: Layout
    given: str | bytes
    given_field: str | None
    keep: tuple[str, ...] = ()

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The files themselves."""
        return self.layout.files(self.named)

    def look(self) -> None:
        """Refuse what the beginning of the files tells, before a model is loaded: a field that is not there, say."""
        self._records(deque()).look()

    def items(self) -> Iterator[Document | BadRow]:
        """Documents and bad rows, in the order of the files; blank lines are neither. Refused before it is read."""
        met: deque[BadRow] = deque()
        found = _in_order(self._records(met), met)
        # Without a field for it an id is the row's place, which one file alone has once.
        named = self.layout.id is not None or len(set(self.files)) < len(self.files)
        return SameIds().watched(found) if named else found

    def _records(self, met: deque[BadRow]) -> Records:
        return self.layout.records(self.files, met.append, self.given_field, self.keep)

    def prefix(self, item: Document) -> str | bytes:
        """What the document is conditioned on."""
        return self.given if item.given is None else item.given

    def ask(self, item: Document | BadRow) -> Ask:
        """The document's text and prefix, or what is wrong with the row."""
        from pofx.corpus import Document

        if isinstance(item, Document):
            return item.text, self.prefix(item)
        return item.error

    def check(self, lm: LM, whole: bool) -> None:
        """Refuse, before any work, what no row could be given: p(x1) without x0; whole texts without EOS."""
        from pofx.lm import refuse_unconditional
        from pofx.queries.scored import refuse_complete

        if lm.begin.known == "none" and not len(self.given) and self.given_field is None:
            raise refuse_unconditional(lm.begin)
        if whole and lm.vocab.end is None:
            raise refuse_complete()

    def nothing(self) -> BadSource:
        """The error of files without a single row."""
        return BadSource(
            f"{' '.join(self.files)}: expected at least one document, found none",
            "check the files, --field and --split",
        )


def _in_order(found: Records, met: deque[BadRow]) -> Iterator[Document | BadRow]:
    # The reader reports a bad row before it hands out the document behind it.
    for document in found:
        while met:
            yield met.popleft()
        yield document
    yield from met
    left_out(0, found.n, found.n_blank)
