"""Files as rows, in seven formats. A bad row never ends the reading."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pofx.corpus.readers.fasttext import fasttext_rows
from pofx.corpus.readers.fields import FieldSearch
from pofx.corpus.readers.json_array import array_rows
from pofx.corpus.readers.json_lines import json_rows
from pofx.corpus.readers.layout import DocumentLayout as DocumentLayout
from pofx.corpus.readers.layout import Fault as Fault
from pofx.corpus.readers.layout import LineRun as LineRun
from pofx.corpus.readers.layout import Quoting as Quoting
from pofx.corpus.readers.layout import Row as Row
from pofx.corpus.readers.layout import RowOutcome as RowOutcome
from pofx.corpus.readers.layout import Split as Split
from pofx.corpus.readers.parquet import parquet_rows
from pofx.corpus.readers.table import csv_rows
from pofx.corpus.readers.text import text_rows
from pofx.corpus.source import Source
from pofx.corpus.streams import open_text


def rows(source: Source, layout: DocumentLayout, fields: FieldSearch | None = None) -> Iterator[RowOutcome]:
    """Yield the rows of one file in order, in constant memory: a document, a fault, or None for a blank line.

    Args:
        source: The file.
        layout: How documents stand in the file.
        fields: The search that notes each object of JSON, whose fields no header names; None for no search.

    Raises:
        BadSource: The file itself is at fault. All whole rows before that place have been yielded.

    Right: `for row in rows(source, DocumentLayout()): …`. Wrong: `list(rows(…))` of a file larger than the memory.
    """
    fields = FieldSearch({}) if fields is None else fields
    if source.stretch is None or not source.stretch.skipped:
        yield from _rows(source, layout, fields)
        return
    skipped = source.stretch.skipped
    for found in _rows(source, layout, fields):
        if found is None:
            yield None
        elif isinstance(found, tuple):
            yield (found[0] + skipped, *found[1:])
        else:
            yield replace(found, line=found.line + skipped)


def _rows(source: Source, layout: DocumentLayout, fields: FieldSearch) -> Iterator[RowOutcome]:
    """Yield the rows as `rows` does, with lines that are counted from the first one that is read."""
    name, inside = source.name, source.stretch is not None and not source.stretch.begins_file
    with open_text(source, layout.encoding, layout.limits) as stream:
        if source.format == "txt":
            yield from text_rows(name, stream, layout, source.named or inside)
        elif source.format == "jsonl":
            yield from json_rows(name, stream, layout, fields, inside)
        elif source.format == "json":
            yield from array_rows(name, stream, layout, fields)
        elif source.format == "fasttext":
            yield from fasttext_rows(name, stream, layout, fields)
        elif source.format == "parquet":
            yield from parquet_rows(name, stream, layout, source.stretch)
        else:
            skipped = 0 if source.stretch is None else source.stretch.skipped
            yield from csv_rows(name, stream, layout, source.format.upper(), skipped)
