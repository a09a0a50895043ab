"""Documents: read from files one at a time, and parted into those to fit and those to validate."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pofx.corpus.readers import DocumentLayout, Fault, LineRun, Quoting, Row, Split
from pofx.corpus.readers.all_files import check_beginnings, rows_of_all
from pofx.corpus.readers.plan import plan_reading
from pofx.corpus.source import Source
from pofx.errors import Advice, BadSource, BadValue
from pofx.files.limits import DEFAULT
from pofx.values import MOST, check_real_number, check_whole_number
from pofx.vocab.vocabulary import to_bytes

# Bad rows that are kept; the rest are only counted, so that memory stays constant.
KEPT = 100

Text = TypeVar("Text", bound=str | bytes)


@dataclass(frozen=True, slots=True)
class Document:
    """One document and where it stands: `line` counts from 1, and is the row number in Parquet.

    given: the prefix of its row, and kept: the values of the fields that were asked for; see `records`.
    """

    text: str
    id: str
    source: str
    line: int
    given: str | None = field(default=None, repr=False)
    kept: tuple[object, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that holds no document, and why: what was expected and what was found. id, kept: as in `Document`.

    advice: what can be done.
    """

    source: str
    line: int
    why: str
    id: str = field(default="", compare=False)
    kept: tuple[object, ...] = field(default=(), compare=False, repr=False)
    advice: tuple[Advice, ...] = field(default=(), compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.error}"

    @property
    def error(self) -> BadSource:
        """Why, and what can be done, as the error that stands in for the document."""
        return BadSource(self.why, self.advice)

    @property
    def kind(self) -> str:
        """What was expected, without what was found in this very row: equal for rows with the same mistake."""
        return self.why.partition(", found ")[0]


class BadRowWarning(UserWarning):
    """A row of a corpus was left out, since it holds no document."""


Report = Callable[[BadRow], None]


class _Tally:
    """What one pass over the files has met so far."""

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
        """What holds documents. Whoever iterates counts those, as they are handed out."""
        if any(s.is_stdin for s in self.sources):
            if self._stdin_read:
                raise BadSource(
                    "stdin: expected to be read once, found a second reading",
                    "save it to a file, or keep the documents: list(documents('-'))",
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

    def look(self) -> None:
        """Read the beginning of each file, and refuse what can be refused by it, such as a field that no row has.

        So a mistake is told before hours of work. Nothing is read where an input can be read only once.
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
            # Up past _note, _read and __iter__, to the line that iterates.
            warnings.warn(str(bad), BadRowWarning, stacklevel=4)


class Documents(_Files):
    """What `documents` returns: iterate over it for `str`, and ask it afterwards how many there were."""

    def __iter__(self) -> Iterator[str]:
        for _, tally, found in self._read():
            for text in found.texts if isinstance(found, LineRun) else (found[1],):
                if text or not isinstance(found, LineRun):
                    tally.n += 1
                    yield text
                else:
                    tally.n_blank += 1


class Records(_Files):
    """What `records` returns: iterate over it for `Document`, and ask it afterwards how many there were."""

    def __iter__(self) -> Iterator[Document]:
        for source, tally, found in self._read():
            name = source.name
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
    r"""The documents of files, as `str`, read one at a time in constant memory; iterate as often as you like.

    The ending of a path says what it holds: .txt, .jsonl or .ndjson, .json, .csv, .tsv, .parquet, and .gz or
    .zst behind any of these but the last (.zst and .parquet need `pip install 'pofx[data]'`). "-" is standard
    input: text, and to be read once. A directory is the files below it that have such an ending, a pattern with
    *, ? or ** those that match, sorted. `format`, such as "jsonl" or "csv.gz", overrules the endings of all.

    txt: a document is a line (`split="line"`), a whole file as it is (`split="file"`), or what stands between
    two `separator`s. A line ends in \n or \r\n, which is no part of the document; a lone \r, U+2028 and the
    like are text. A line without characters is no document: it is counted in `.n_blank`. So is nothing
    between two separators. A \n in `separator` is \r\n, too. One line ending at the very end of the file is no
    part of its last document.
    jsonl, json, csv, tsv, parquet: a document is the string in `field` of every object or row; "a.b" is the field
    b of the object in a. It may be empty. json is one array of objects. CSV and TSV start with a row of column
    names; `delimiter` overrules the comma and the tab. `quoting="minimal"`: a cell in " may hold line breaks,
    delimiters and doubled quotes; "none": a quote is a character like any other, a line is a row. Without it
    quotes are read as "minimal", and a row that could be read both ways is a bad row. Blank lines are counted
    in `.n_blank`.
    fasttext (by `format` alone): lines of text behind `__label__…`, as the fields "text" and "label".
    All are UTF-8, read strictly, or in `encoding`; a byte order mark at the start of a file is removed. `id`
    names a field that every row must have too; `records` hands it out.

    A bad row (no JSON, no such field, no string, no UTF-8, a lone surrogate, the wrong number of columns)
    is left out, counted, and told to `report(BadRow)`; without `report`, a `BadRowWarning` says so for the
    first of each kind, and another one how many there were. After an iteration `.n` counts the documents, `.n_bad`
    the bad rows, `.bad` lists 100 of them.

    `max_document`: bytes of the longest document or row. `max_expansion`: bytes, at most, for each byte of a packed
    file, once it has given 16 MiB.

    `BadSource`: a missing file, an unknown ending, a column that is not there, a field that none of the first
    thousand objects has, another encoding, a packed file that breaks off (after all whole documents before), a
    document or a file above the limits. An empty file has no documents, and is no error.
    `BadValue`: an argument outside its domain. `MissingExtra`: see above.

    Right: `for text in documents("a.txt", "b.jsonl.gz"): …`; `documents("novel.txt", separator="\n\n")`.
    Wrong: `documents(["a.txt", "b.txt"])`, which is one argument; write `documents(*paths)`.
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
    """`documents`, each as a `Document` with its id, its source and its line; errors and counts are the same.

    `id` names the field of JSON, CSV, TSV or Parquet that holds the id, a string or an integer (as `str`);
    a row without one is a bad row. Otherwise the id is "path:line", or "path#k" for the k-th piece between
    separators. `given` names a field that every row must have, of strings: the prefix that the row's text is to be
    conditioned on. `keep` names further fields whose values are handed out as they are in `Document.kept`; None
    where an object of JSONL has no such field.

    Right: `{d.id: d.text for d in records("a.jsonl", id="key")}`.
    Wrong: `records("a.txt", id="key")`: lines of text have no fields.
    """
    how = (delimiter, quoting, encoding, max_document, max_expansion)
    return Records(*plan_reading(paths, field, id, split, separator, format, *how, given, keep), report)


def split_documents(
    documents: Iterable[Text], held_out: float = 0.1, seed: int = 0
) -> tuple[list[Text], list[Text]]:
    """Two lists, (train, validation), in the order given: `held_out` is the share of validation.

    A hash of its UTF-8 and of `seed` decides, for each document alone: equal documents are on the same side,
    as are a `str` and its bytes, in any order, whatever else is in the corpus, and on any machine. So the
    share is exact only on average, and of ten documents none may be held out.

    `BadValue`: `held_out` outside [0, 1], or one string in place of many. `NotText`: a lone surrogate.
    Right: `train, validation = split_documents(documents("a.txt"))`.
    Wrong: splitting tokens or lines of one document, which puts near copies on both sides.
    """
    held_out = check_real_number("held_out", held_out, 0, 1)
    if isinstance(documents, str | bytes):
        raise BadValue("expected an iterable of documents, found one string", "for one document write [text]")
    key = str(check_whole_number("seed", seed, -MOST)).encode("ascii")
    bound = held_out * 2.0**64
    sides: tuple[list[Text], list[Text]] = ([], [])
    for text in documents:
        code = hashlib.blake2b(to_bytes(text), digest_size=8, key=key).digest()
        sides[int.from_bytes(code, "big") < bound].append(text)
    return sides
