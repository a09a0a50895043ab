"""The input of a job: documents, each with the prefix it is conditioned on, and the rows that hold no document."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pofx.errors import BadSource, no_documents
from pofx.jobs.events import BlankLines, Notice, Notify
from pofx.jobs.layout import DocumentLayout
from pofx.jobs.same_ids import SameIds

if TYPE_CHECKING:
    from pofx.corpus.documents import BadRow, Document, Records
    from pofx.lm.model import LM
    from pofx.queries.scoring.stream import Question

STDIN = "-"


def _ignored(notice: Notice) -> None:
    pass


@dataclass(frozen=True)
class Documents:
    """Documents in files, and the prefix that each is conditioned on.

    Attributes:
        files: the files themselves, in order; "-" is standard input.
        layout: how documents lie in the files.
        given: the prefix of all documents; "" for none.
        given_field: the field of a row that holds the row's own prefix, or None.
        keep: fields of the input that the rows pass on.
    """

    files: tuple[str, ...]
    layout: DocumentLayout = field(default_factory=DocumentLayout)
    given: str | bytes = ""
    given_field: str | None = None
    keep: tuple[str, ...] = ()

    def look(self) -> None:
        """Refuse what the beginning of the files tells, before a model is loaded: a field that is not there, say."""
        self._records(deque()).look()

    def items(self, notify: Notify = _ignored) -> Iterator[Document | BadRow]:
        """Documents and bad rows, in the order of the files; blank lines are neither.

        What the beginning of the files tells is refused at once, before an item is read.

        Args:
            notify: is told, behind the last item, of blank lines and of ids that rows share.
        """
        met: deque[BadRow] = deque()
        found = _in_order(self._records(met), met, notify)
        # Without a field for it an id is the row's place, which one file alone has once.
        named = self.layout.id is not None or len(set(self.files)) < len(self.files)
        return SameIds().watched(found, notify) if named else found

    def _records(self, met: deque[BadRow]) -> Records:
        return self.layout.records(self.files, met.append, self.given_field, self.keep)

    def prefix(self, item: Document) -> str | bytes:
        """What the document is conditioned on."""
        return self.given if item.given is None else item.given

    def ask(self, item: Document | BadRow) -> Question:
        """The document's text and prefix, or what is wrong with the row."""
        from pofx.corpus.documents import Document

        if isinstance(item, Document):
            return item.text, self.prefix(item)
        return item.error

    def check(self, lm: LM, whole: bool) -> None:
        """Refuse, before any work, what no row could be given: p(x1) without x0; whole texts without EOS."""
        from pofx.lm.begin import refuse_unconditional
        from pofx.queries.scoring.scored import refuse_complete

        if lm.begin.known == "none" and not len(self.given) and self.given_field is None:
            raise refuse_unconditional(lm.begin)
        if whole and lm.vocab.end is None:
            raise refuse_complete()

    def nothing(self) -> BadSource:
        """The error of files without a single row."""
        return no_documents(" ".join(self.files))


def _in_order(found: Records, met: deque[BadRow], notify: Notify) -> Iterator[Document | BadRow]:
    # The reader reports a bad row before it hands out the document behind it.
    for document in found:
        while met:
            yield met.popleft()
        yield document
    yield from met
    if found.n_blank and found.n:  # with nothing read, the refusal that follows stands alone
        notify(BlankLines(found.n_blank))
