"""Rows of fastText's format: a line is its labels, each after `__label__`, and then the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BufferedReader

from pofx.corpus.readers.cells import read_document
from pofx.corpus.readers.fields import FieldSearch, value_at
from pofx.corpus.readers.layout import DocumentLayout, NoDocument, RowOutcome, not_text
from pofx.corpus.streams import read_lines

MARK = "__label__"
# The names by which a caller asks for the fields of a row.
TEXT, LABEL = "text", "label"
_LABELS = re.compile(rf"(?:{MARK}([^ \t]*)(?:[ \t]+|$))*")


def fasttext_rows(
    name: str, stream: BufferedReader, layout: DocumentLayout, fields: FieldSearch
) -> Iterator[RowOutcome]:
    """Yield one row for each line, with the fields `text` and `label` (a string; null for no label, a list for several)."""
    for line, data in enumerate(read_lines(name, stream, layout.limits), 1):
        data = data.removesuffix(b"\n").removesuffix(b"\r")
        if not data:
            yield None
            continue
        try:
            record = _record(data.decode())
        except UnicodeDecodeError as e:
            yield NoDocument(*not_text(e, "line", layout.encoding)).at(line)
            continue
        if fields.missing:
            fields.note(record)
        try:
            yield (line, *read_document([value_at(record, f) for f in layout.columns], layout, record))
        except NoDocument as e:
            yield e.at(line)


def _record(text: str) -> dict[str, object]:
    end = _LABELS.match(text).end()  # type: ignore[union-attr]  # the pattern also matches the empty string
    labels = [label.removeprefix(MARK) for label in re.findall("[^ \t]+", text[:end])]
    return {TEXT: text[end:], LABEL: None if not labels else labels[0] if len(labels) == 1 else labels}
