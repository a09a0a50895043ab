"""The input of a job: documents in files, each with the prefix that its text is conditioned on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pofx.corpus.empty_input import no_documents_in
from pofx.errors import BadSource
from pofx.files.limits import DEFAULT
from pofx.jobs.events import BlankLines, Notice, Notify
from pofx.jobs.repeated_ids import RepeatedIds

if TYPE_CHECKING:
    from pofx.corpus.bad_rows import BadRow
    from pofx.corpus.documents import Document, Records
    from pofx.corpus.readers import Quoting, Split
    from pofx.corpus.stretch import Stretch
    from pofx.lm.model import LM
    from pofx.queries.scoring.stream import Question


def _ignore(notice: Notice) -> None:
    pass


@dataclass(frozen=True)
class ReadOptions:
    """How files are read: the arguments of `pofx.records` that say so, under the same names.

    Attributes:
        field: The field of a row that holds the document.
        id: The field of a row that holds its id; None where the id is the row's place.
        split: Whether a line or a whole file of text is a document.
        separator: The string that stands between documents of text; None for `split`.
        format: The format of all files, such as "jsonl"; None where the ending of each file names the format.
        delimiter: The character between the cells of CSV and TSV; None for the comma and the tab.
        quoting: Whether a quote in CSV and TSV encloses a cell; None where both readings must agree.
        encoding: The encoding of the files; None for UTF-8.
        max_document: The most bytes of a document or row.
        max_expansion: The most bytes that a byte of a packed file gives.
    """

    field: str = "text"
    id: str | None = None
    split: Split = "line"
    separator: str | None = None
    format: str | None = None
    delimiter: str | None = None
    quoting: Quoting | None = None
    encoding: str | None = None
    max_document: int = DEFAULT.document
    max_expansion: float = DEFAULT.expansion

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that the rows depend on, by the name of their option. The limits only refuse, and are left out."""
        options = {f"--{name}": value for name, value in asdict(self).items()}
        return {name: value for name, value in options.items() if not name.startswith("--max_")}

    def records(
        self,
        files: tuple[str, ...],
        report: Callable[[BadRow], None],
        given: str | None = None,
        keep: tuple[str, ...] = (),
    ) -> Records:
        """Return the records of files that are read by these options.

        Args:
            files: The files, in order; "-" is standard input.
            report: A function that is called with each row that holds no document.
            given: The field of a row that holds its prefix; None for no such field.
            keep: The fields of a row whose values the records carry along.
        """
        from pofx.corpus.documents import records

        return records(*files, **asdict(self), report=report, given=given, keep=keep)


@dataclass(frozen=True)
class Documents:
    """Documents in files, and the prefix that each document is conditioned on.

    Attributes:
        files: The files, in order; "-" is standard input.
        reading: How the files are read.
        given: The prefix of all documents; "" for none.
        given_field: The field of a row that holds the row's own prefix; None for no such field.
        keep: The fields of the input that the rows of the output repeat.
        stretch: The run of rows of the only file that is read; None for all rows of all files.
    """

    files: tuple[str, ...]
    reading: ReadOptions = field(default_factory=ReadOptions)
    given: str | bytes = ""
    given_field: str | None = None
    keep: tuple[str, ...] = ()
    stretch: Stretch | None = None

    def look(self) -> None:
        """Read the beginning of each file, before a model is loaded.

        Raises:
            BadSource: A file, or a field that was asked for, does not exist.
        """
        self._records(deque()).look()

    def items(self, notify: Notify = _ignore) -> Iterator[Document | BadRow]:
        """Yield documents and bad rows, in the order of the files; blank lines are left out.

        Args:
            notify: A function that is called, after the last item, with blank lines and with ids that rows share.

        Raises:
            BadSource: The beginning of a file can be refused; the error comes before the first item.
        """
        bad_rows: deque[BadRow] = deque()
        items = _merge_in_order(self._records(bad_rows), bad_rows, notify)
        # Without a field for the id, the id is the row's place, which is unique in one file.
        ids_may_repeat = self.reading.id is not None or len(set(self.files)) < len(self.files)
        return RepeatedIds().watch(items, notify) if ids_may_repeat else items

    def _records(self, bad_rows: deque[BadRow]) -> Records:
        found = self.reading.records(self.files, bad_rows.append, self.given_field, self.keep)
        return found if self.stretch is None else found.stretch(self.stretch)

    def prefix(self, item: Document) -> str | bytes:
        """Return the prefix that the document is conditioned on."""
        return self.given if item.given is None else item.given

    def ask(self, item: Document | BadRow) -> Question:
        """Return the document's text and prefix, or the error of a bad row."""
        from pofx.corpus.documents import Document

        if isinstance(item, Document):
            return item.text, self.prefix(item)
        return item.error

    def check(self, lm: LM, complete: bool) -> None:
        """Refuse, before any work, a question that the model can answer for no document.

        Args:
            lm: The model.
            complete: Whether log p of complete texts is asked for, EOS counted.

        Raises:
            NoBOS: The model has no x0, and no document has a prefix.
            NoEOS: The model has no EOS, and `complete` asks for it.
        """
        from pofx.lm.begin import refuse_unconditional
        from pofx.queries.scoring.scored import refuse_complete

        if lm.begin.known == "none" and not len(self.given) and self.given_field is None:
            raise refuse_unconditional(lm.begin)
        if complete and lm.vocab.end is None:
            raise refuse_complete()

    def no_rows_error(self) -> BadSource:
        """Return the error of files without a single row."""
        return no_documents_in(self.files)


def _merge_in_order(records: Records, bad_rows: deque[BadRow], notify: Notify) -> Iterator[Document | BadRow]:
    # The reader reports a bad row before it hands out the document after that row.
    for document in records:
        while bad_rows:
            yield bad_rows.popleft()
        yield document
    yield from bad_rows
    if records.n_blank and records.n:  # without documents an error follows, which should stand alone
        notify(BlankLines(records.n_blank))
