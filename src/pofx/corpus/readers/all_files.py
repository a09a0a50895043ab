"""The rows of all files of an input, held back until every wanted field has occurred in one of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

from pofx.corpus.readers import DocumentLayout, RowOutcome, rows
from pofx.corpus.readers.fields import CHARACTERS, ROWS, FieldSearch
from pofx.corpus.source import Source
from pofx.corpus.streams import check_expansion

# So many characters of a table are read before its first row is used.
_LOOK = 1 << 20


def rows_of_all(sources: Sequence[Source], layout: DocumentLayout) -> Iterator[tuple[Source, RowOutcome]]:
    """Yield each row with its file.

    Rows of JSON and of fastText are held back, a thousand at most, until each field has been seen. A table names its
    columns itself.

    Raises:
        BadSource: None of the first rows has some field. No row has been yielded by then.
    """
    # A stretch may hold no row with some field; whoever cut the file looked at its beginning.
    cut = any(source.stretch is not None for source in sources)
    fields = FieldSearch({} if cut else layout.options)
    held: list[tuple[Source, RowOutcome]] = []
    size = documents = 0
    for source in sources:
        for found in rows(source, layout, fields):
            documents += isinstance(found, tuple)
            if not fields.missing or source.format not in ("jsonl", "json", "fasttext"):
                yield from held
                held.clear()
                yield source, found
                continue
            held.append((source, found))
            size += len(found[1]) if isinstance(found, tuple) else 0
            if len(held) >= ROWS or size > CHARACTERS:
                fields.check(held[0][0].name)
                fields.missing = []  # no row is an object so far, so each row will report its own fault
    if held:
        fields.check(held[0][0].name)
        yield from held
    if layout.separator is not None and 0 < documents <= len(sources):
        each = "the input" if len(sources) == 1 else "each file"
        warnings.warn(
            f"separator: expected {layout.separator!r:.40} between documents, got one document in {each}; check how the "
            "documents are separated",
            UserWarning,
            stacklevel=2,
        )


def check_beginnings(sources: Sequence[Source], layout: DocumentLayout) -> None:
    """Read the beginning of each file, and raise the errors that show there. An input that is read once stays unread."""
    if not all(source.is_regular for source in sources):
        return
    for source in sources:
        check_expansion(source, layout.limits)
        if source.format == "parquet":
            _check_rows(source, layout)
    next(rows_of_all(sources, layout), None)
    for source in sources[1:]:
        if source.format not in ("txt", "parquet") or (layout.split == "line" and layout.separator is None):
            next(rows(source, layout), None)


def _check_rows(source: Source, layout: DocumentLayout) -> None:
    """Read the first megabyte of a table, and more while packed bytes unfold far, so that the reader can refuse them."""
    size, unfolded = source.size, 0
    for found in rows(source, layout):
        unfolded += 1 + (len(found[1]) if isinstance(found, tuple) else 0)
        if unfolded >= _LOOK and not layout.limits.is_doubtful(size, unfolded):
            return
