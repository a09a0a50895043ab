"""Documents are read from files one at a time, in constant memory."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from pofx.corpus.bad_rows import BadRow, BadRowWarning, Report
from pofx.corpus.readers import DocumentLayout, Fault, LineRun, Quoting, Row, Split
from pofx.corpus.readers.all_files import check_beginnings, rows_of_all
from pofx.corpus.readers.plan import plan_reading
from pofx.corpus.source import Source
from pofx.corpus.stretch import Stretch
from pofx.errors import BadSource
from pofx.files.limits import DEFAULT

# At most this many bad rows are kept; further bad rows are only counted, so that memory stays constant.
KEPT = 100


@dataclass(frozen=True, slots=True)
class Document:
    """One document, and where it stands in its file.

    Attributes:
        text: The text of the document.
        id: The id from its row, or else "path:line".
        source: The path of the file; "stdin" for standard input.
        line: The line where the document begins, counted from 1; the number of the row in Parquet.
        given: The prefix from its row, None without one; see `records`.
        kept: The values of the fields that `keep` named, in that order.

    Right: `[d.text for d in records("a.jsonl", id="key") if d.id == "a1"]`. Wrong: `fit(records("a.jsonl"))`, since `fit`
    takes texts; write `fit(documents("a.jsonl"))`.
    """

    text: str
    id: str
    source: str
    line: int
    given: str | None = field(default=None, repr=False)
    kept: tuple[object, ...] = field(default=(), repr=False)


class _Tally:
    """The counts of one pass over the files."""

    def __init__(self) -> None:
        self.n = self.n_bad = self.n_blank = 0
        self.bad: list[BadRow] = []
        self.kinds: Counter[str] = Counter()


class _Files:
    """Files that can be read again and again, and the counts of the latest reading."""

    def __init__(self, sources: tuple[Source, ...], layout: DocumentLayout, report: Report | None) -> None:
        self.sources = sources
        self.layout = layout
        self._report = report
        self._tally = _Tally()
        self._stdin_read = False

    @property
    def n(self) -> int:
        """Documents handed out by the latest reading."""
        return self._tally.n

    @property
    def n_bad(self) -> int:
        """Rows that the latest reading left out because they hold no document."""
        return self._tally.n_bad

    @property
    def n_blank(self) -> int:
        """Blank lines (and empty pieces, and empty files with split="file") that the latest reading met."""
        return self._tally.n_blank

    @property
    def bad(self) -> list[BadRow]:
        """The first 100 bad rows of the latest reading."""
        return list(self._tally.bad)

    def _read(self) -> Iterator[tuple[Source, _Tally, Row | LineRun]]:
        """Yield the rows that hold documents. The caller counts the documents as it hands them out."""
        if any(s.is_stdin for s in self.sources):
            if self._stdin_read:
                raise BadSource(
                    "stdin: expected one reading, got a second one",
                    "save standard input to a file, or keep the documents: list(documents('-'))",
                )
            self._stdin_read = True
        tally = self._tally = _Tally()
        for source, found in rows_of_all(self.sources, self.layout):
            if found is None:
                tally.n_blank += 1
            elif isinstance(found, Fault):
                here = f"{source.name}:{found.line}" if found.id is None else found.id
                self._note(tally, BadRow(source.name, found.line, found.why, here, found.kept, found.advice))
            else:
                yield source, tally, found
        if self._report is None and tally.n_bad > len(tally.kinds):
            told = "; ".join(f"{n:,} of the kind {kind!r}" for kind, n in tally.kinds.most_common())
            warnings.warn(f"{tally.n_bad:,} bad rows in all: {told}", BadRowWarning, stacklevel=3)

    def stretch(self, stretch: Stretch) -> Self:
        """Return the same reading of one stretch of the file, which must be the only one."""
        (source,) = self.sources
        return type(self)((replace(source, stretch=stretch),), self.layout, self._report)

    def look(self) -> None:
        """Read the beginning of each file, so that a mistake is reported before hours of work.

        Nothing is read where an input can be read only once.

        Raises:
            BadSource: The beginning shows a fault, such as a field that no row has.
        """
        check_beginnings(self.sources, self.layout)

    def _note(self, tally: _Tally, bad: BadRow) -> None:
        tally.n_bad += 1
        if tally.n_bad <= KEPT:
            tally.bad.append(bad)
        if self._report is not None:
            self._report(bad)
            return
        kind = bad.kind if bad.kind in tally.kinds or len(tally.kinds) < KEPT else "another"
        tally.kinds[kind] += 1
        if tally.kinds[kind] == 1:
            # The warning names the line that iterates, which called __iter__, _read and _note.
            warnings.warn(str(bad), BadRowWarning, stacklevel=4)


class Documents(_Files):
    """Documents as `str`, which `documents` returns; after an iteration it has the counts."""

    def __iter__(self) -> Iterator[str]:
        for _, tally, found in self._read():
            for text in found.texts if isinstance(found, LineRun) else (found[1],):
                if text or not isinstance(found, LineRun):
                    tally.n += 1
                    yield text
                else:
                    tally.n_blank += 1


class Records(_Files):
    """Documents as `Document`, which `records` returns; after an iteration it has the counts."""

    def __iter__(self) -> Iterator[Document]:
        latest = None
        for source, tally, found in self._read():
            if source is not latest:
                latest, name = source, source.name
            if not isinstance(found, LineRun):
                line, text, id_, given, kept = found
                tally.n += 1
                yield Document(text, f"{name}:{line}" if id_ is None else id_, name, line, given, kept)
                continue
            for line, text in enumerate(found.texts, found.line):
                if text:
                    tally.n += 1
                    yield Document(text, f"{name}:{line}", name, line)
                else:
                    tally.n_blank += 1


def documents(
    *paths: str | os.PathLike[str],
    field: str = "text",
    id: str | None = None,
    split: Split = "line",
    separator: str | None = None,
    format: str | None = None,
    delimiter: str | None = None,
    quoting: Quoting | None = None,
    encoding: str | None = None,
    max_document: int = DEFAULT.document,
    max_expansion: float = DEFAULT.expansion,
    report: Report | None = None,
) -> Documents:
    r"""Read the documents of files, one at a time, in constant memory.

    The ending of a path names the format: .txt, .jsonl or .ndjson, .json, .csv, .tsv, .parquet. An ending .gz, .zst,
    .bz2 or .xz after any of these but .parquet means that the file is packed. Files in .zst and .parquet need
    `pip install 'pofx[data]'`. Files are UTF-8 unless `encoding` says otherwise, and are read strictly; a byte order mark
    at the start of a file is removed.

    - txt: a document is a line, a whole file, or the text between two separators. A line ends in \n or \r\n, which is not
      part of the document; a lone \r, U+2028 and the like are text. An empty line is no document; `.n_blank` counts it.
    - jsonl, json, csv, tsv, parquet: a document is the string in `field` of each object or row, and may be empty. "a.b"
      names the field b of the object in a. json is one array of objects. CSV and TSV start with a row of column names.
    - fasttext (only by `format`): a line is labels, `__label__…`, and a text. The fields are "text" and "label".

    A bad row (no JSON, no such field, no string, no UTF-8, a lone surrogate, the wrong number of columns) is left out and
    counted. After an iteration `.n` counts the documents, `.n_bad` the bad rows, `.n_blank` the blank lines, and `.bad`
    lists the first 100 bad rows.

    Args:
        *paths: Files. "-" is standard input, which is text and is read once. A directory stands for the files below it
            with a known ending, a pattern with *, ? or ** for the files that match; both are sorted. A path with a
            protocol (s3://, https://, memory://) is opened by fsspec.
        field: The field of the text.
        id: A field that every row must have, too; `records` hands it out as the id.
        split: For txt: "line" or "file", whether a document is a line or a whole file as it is.
        separator: For txt: the string between documents. A \n in it also matches \r\n. One line ending at the end of a
            file is not part of its last document.
        format: The format of all files, such as "jsonl" or "csv.gz", whatever their endings.
        delimiter: For CSV and TSV: the character between columns, instead of the comma or the tab.
        quoting: For CSV and TSV. "minimal": a cell in quotes may hold line breaks, delimiters and doubled quotes. "none": a
            quote is a character like any other. None: quotes are read as "minimal", and a row that could be read both
            ways is a bad row.
        encoding: The encoding of all files, such as "latin-1", instead of UTF-8.
        max_document: The largest document or row, in bytes.
        max_expansion: The most bytes for each byte of a packed file, once the file has given 16 MiB.
        report: A function that is called with each `BadRow`. None: a `BadRowWarning` reports the first bad row of each
            kind, and a last `BadRowWarning` the number of bad rows.

    Returns:
        An iterable of `str`, which can be iterated again and again. An empty file has no documents, and is no error.

    Raises:
        BadSource: A file is missing, has an unknown ending or another encoding, breaks off, or is above the limits; or the
            column is missing, or none of the first thousand objects has the field.
        BadValue: An argument is outside its domain.
        MissingExtra: The format needs a package that is not installed.

    Right: `for text in documents("a.txt", "b.jsonl.gz"): …`; `documents("novel.txt", separator="\n\n")`. Wrong:
    `documents(["a.txt", "b.txt"])`, which is one argument; write `documents(*paths)`.
    """
    how = (delimiter, quoting, encoding, max_document, max_expansion)
    return Documents(*plan_reading(paths, field, id, split, separator, format, *how), report)


def records(
    *paths: str | os.PathLike[str],
    field: str = "text",
    id: str | None = None,
    split: Split = "line",
    separator: str | None = None,
    format: str | None = None,
    delimiter: str | None = None,
    quoting: Quoting | None = None,
    encoding: str | None = None,
    max_document: int = DEFAULT.document,
    max_expansion: float = DEFAULT.expansion,
    report: Report | None = None,
    given: str | None = None,
    keep: Sequence[str] = (),
) -> Records:
    """Read the documents of files as `documents` does, each with its id, its source and its line.

    Args:
        *paths: Files, as in `documents`.
        field: The field of the text.
        id: A field of strings or integers that every row must have: the id, as `str`. Without it the id is "path:line", or
            "path#k" for the k-th piece between separators.
        split: As in `documents`.
        separator: As in `documents`.
        format: As in `documents`.
        delimiter: As in `documents`.
        quoting: As in `documents`.
        encoding: As in `documents`.
        max_document: As in `documents`.
        max_expansion: As in `documents`.
        report: As in `documents`.
        given: A field of strings that every row must have: the prefix on which the text of the row is conditioned.
        keep: Further fields, whose values are handed out in `Document.kept`; None where an object has no such field.

    Returns:
        An iterable of `Document`, with the counts that `documents` has.

    Raises:
        BadSource: As in `documents`.
        BadValue: As in `documents`; also where `id`, `given` or `keep` names a field of a txt file, which has none.
        MissingExtra: As in `documents`.

    Right: `{d.id: d.text for d in records("a.jsonl", id="key")}`. Wrong: `records("a.txt", id="key")`, since lines of text
    have no fields.
    """
    how = (delimiter, quoting, encoding, max_document, max_expansion)
    return Records(*plan_reading(paths, field, id, split, separator, format, *how, given, keep), report)
