"""Documents: read from files one at a time, and parted into those to fit and those to validate."""

from __future__ import annotations

import hashlib
import operator
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pofx.errors import BadSource, BadValue
from pofx.reading import Fault, Layout, Row, Run, Split, rows
from pofx.source import Source, source_of
from pofx.vocab import to_bytes

# Bad rows that are kept and warned of; the rest are only counted, so that memory stays constant.
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
    """A row that holds no document, and why: what was expected and what was found. id, kept: as in `Document`."""

    source: str
    line: int
    why: str
    id: str = field(default="", compare=False)
    kept: tuple[object, ...] = field(default=(), compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.why}"


class BadRowWarning(UserWarning):
    """A row of a corpus was left out, since it holds no document."""


Report = Callable[[BadRow], None]


class _Tally:
    """What one pass over the files has met so far."""

    def __init__(self) -> None:
        self.n = self.n_bad = self.n_blank = 0
        self.bad: list[BadRow] = []


class _Files:
    """Files that can be read again and again, and the counts of the latest reading."""

    def __init__(self, sources: tuple[Source, ...], layout: Layout, report: Report | None) -> None:
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

    def _read(self) -> Iterator[tuple[Source, _Tally, Row | Run]]:
        """What holds documents. Whoever iterates counts those, as they are handed out."""
        if any(s.is_stdin for s in self.sources):
            if self._stdin_read:
                raise BadSource(
                    "stdin: expected to be read once, found a second reading; "
                    "save it to a file, or keep the documents: list(documents('-'))"
                )
            self._stdin_read = True
        tally = self._tally = _Tally()
        for source in self.sources:
            for found in rows(source, self.layout):
                if found is None:
                    tally.n_blank += 1
                elif isinstance(found, Fault):
                    here = f"{source.name}:{found.line}" if found.id is None else found.id
                    self._note(tally, BadRow(source.name, found.line, found.why, here, found.kept))
                else:
                    yield source, tally, found
        if self._report is None and tally.n_bad > KEPT:
            warnings.warn(
                f"{tally.n_bad} bad rows in all, of which the first {KEPT} were shown",
                BadRowWarning,
                stacklevel=3,
            )

    def _note(self, tally: _Tally, bad: BadRow) -> None:
        tally.n_bad += 1
        if tally.n_bad <= KEPT:
            tally.bad.append(bad)
        if self._report is not None:
            self._report(bad)
        elif tally.n_bad <= KEPT:
            # Up past _note, _read and __iter__, to the line that iterates.
            warnings.warn(str(bad), BadRowWarning, stacklevel=4)


class Documents(_Files):
    """What `documents` returns: iterate over it for `str`, and ask it afterwards how many there were."""

    def __iter__(self) -> Iterator[str]:
        for _, tally, found in self._read():
            for text in found.texts if isinstance(found, Run) else (found[1],):
                if text or not isinstance(found, Run):
                    tally.n += 1
                    yield text
                else:
                    tally.n_blank += 1


class Records(_Files):
    """What `records` returns: iterate over it for `Document`, and ask it afterwards how many there were."""

    def __iter__(self) -> Iterator[Document]:
        for source, tally, found in self._read():
            name = source.name
            if not isinstance(found, Run):
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
    report: Report | None = None,
) -> Documents:
    r"""The documents of files, as `str`, read one at a time in constant memory; iterate as often as you like.

    The ending of a path says what it holds: .txt, .jsonl or .ndjson, .csv, .tsv, .parquet, and .gz or .zst
    behind any of these but the last (.zst and .parquet need `pip install 'pofx[data]'`). "-" is standard
    input: text, and to be read once. `format`, such as "jsonl" or "csv.gz", overrules the endings of all.

    txt: a document is a line (`split="line"`), a whole file as it is (`split="file"`), or what stands between
    two `separator`s. A line ends in \n or \r\n, which is no part of the document; a lone \r, U+2028 and the
    like are text. A line without characters is no document: it is counted in `.n_blank`. So is nothing
    between two separators. One line ending at the very end of the file is no part of its last document.
    jsonl, csv, tsv, parquet: a document is the string in `field` of every object or row. It may be empty. CSV
    and TSV start with a row of column names, and quote with ". Blank lines are counted in `.n_blank`.
    All are UTF-8, read strictly; a byte order mark at the start of a file is removed. `id` names a field that
    every row must have too; `records` hands it out.

    A bad row (no JSON, no such field, no string, no UTF-8, a lone surrogate, the wrong number of columns)
    is left out, counted, and told to `report(BadRow)`; without `report`, a `BadRowWarning` says so for the
    first 100. After an iteration `.n` counts the documents, `.n_bad` the bad rows, `.bad` lists 100 of them.

    `BadSource`: a missing file, a directory, an unknown ending, a column that is not there, UTF-16, a packed
    file that breaks off (after all whole documents before). An empty file has no documents, and is no error.
    `BadValue`: an argument outside its domain. `MissingExtra`: see above.

    Right: `for text in documents("a.txt", "b.jsonl.gz"): …`; `documents("novel.txt", separator="\n\n")`.
    Wrong: `documents(["a.txt", "b.txt"])`, which is one argument; write `documents(*paths)`.
    """
    return Documents(*_plan(paths, field, id, split, separator, format), report)


def records(
    *paths: str | os.PathLike[str],
    field: str = "text",
    id: str | None = None,
    split: Split = "line",
    separator: str | None = None,
    format: str | None = None,
    report: Report | None = None,
    given: str | None = None,
    keep: Sequence[str] = (),
) -> Records:
    """`documents`, each as a `Document` with its id, its source and its line; errors and counts are the same.

    `id` names the field of JSONL, CSV, TSV or Parquet that holds the id, a string or an integer (as `str`);
    a row without one is a bad row. Otherwise the id is "path:line", or "path#k" for the k-th piece between
    separators. `given` names a field that every row must have, of strings: the prefix that the row's text is to be
    conditioned on. `keep` names further fields whose values are handed out as they are in `Document.kept`; None
    where an object of JSONL has no such field.

    Right: `{d.id: d.text for d in records("a.jsonl", id="key")}`.
    Wrong: `records("a.txt", id="key")`: lines of text have no fields.
    """
    return Records(*_plan(paths, field, id, split, separator, format, given, keep), report)


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
    if not 0 <= held_out <= 1:  # NaN fails this as well
        raise BadValue(f"held_out: expected a share between 0 and 1, found {held_out!r}")
    if isinstance(documents, str | bytes):
        raise BadValue("expected an iterable of documents, found one string; for one document write [text]")
    try:
        key = str(operator.index(seed)).encode("ascii")
    except TypeError:
        raise BadValue(f"seed: expected an integer, found {type(seed).__name__}") from None
    if len(key) > hashlib.blake2b.MAX_KEY_SIZE:
        raise BadValue(f"seed: expected at most 64 digits, found {len(key)}")
    bound = held_out * 2.0**64
    sides: tuple[list[Text], list[Text]] = ([], [])
    for text in documents:
        code = hashlib.blake2b(to_bytes(text), digest_size=8, key=key).digest()
        sides[int.from_bytes(code, "big") < bound].append(text)
    return sides


def _plan(
    paths: tuple[str | os.PathLike[str], ...],
    field: str,
    id: str | None,
    split: Split,
    separator: str | None,
    format: str | None,
    given: str | None = None,
    keep: Sequence[str] = (),
) -> tuple[tuple[Source, ...], Layout]:
    """All that can be refused before the first file is opened, rather than hours into the reading."""
    if not paths:
        raise BadValue("expected at least one path, found none; '-' is standard input")
    if split not in ("line", "file"):
        raise BadValue(
            f"split: expected 'line' or 'file', found {split!r}; another string goes in separator="
        )
    if separator is not None and (not separator or split == "file"):
        raise BadValue(
            f"separator: expected a string that is not empty, and no split='file', found {separator!r} "
            f"and split={split!r}"
        )
    if separator is not None:
        to_bytes(separator)
    sources = tuple(source_of(p, format) for p in paths)
    if sum(s.is_stdin for s in sources) > 1:
        raise BadValue("expected standard input ('-') once, found it more often")
    kinds = {s.format for s in sources}
    # An option that no file heeds is a mistake, and would pass unseen.
    if "txt" not in kinds and (separator is not None or split != "line"):
        raise BadValue(f"split and separator: expected a txt file, found only {', '.join(sorted(kinds))}")
    if isinstance(keep, str):
        raise BadValue(f"keep: expected a list of fields, found the string {keep!r}; write keep=[{keep!r}]")
    if kinds == {"txt"} and (id is not None or field != "text"):
        raise BadValue(
            "field, id (--field, --id): expected a file with fields (jsonl, csv, tsv, parquet), found only txt; leave "
            "them out"
        )
    if "txt" in kinds and (given is not None or keep):
        raise BadValue(
            "given, keep (--given-field, --keep, --cluster): expected files with fields (jsonl, csv, tsv, parquet), "
            "found txt; give each line as JSON"
        )
    return sources, Layout(field, id, split, separator, given, tuple(keep))
