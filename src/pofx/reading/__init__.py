"""Files as rows, in five formats. What is wrong with one row never ends the reading."""

from __future__ import annotations

from collections.abc import Iterator

from pofx.reading.json_lines import json_rows
from pofx.reading.layout import Fault as Fault
from pofx.reading.layout import Found
from pofx.reading.layout import Layout as Layout
from pofx.reading.layout import Row as Row
from pofx.reading.layout import Run as Run
from pofx.reading.layout import Split as Split
from pofx.reading.parquet import parquet_rows
from pofx.reading.table import csv_rows
from pofx.reading.text import text_rows
from pofx.source import Source
from pofx.streams import opened


def rows(source: Source, layout: Layout) -> Iterator[Found]:
    """The rows of one file in order, in constant memory: a document, a fault, or None for a blank.

    `BadSource` where the file itself is at fault: then everything whole before that place has been yielded.
    Right: `for row in rows(source, Layout()): …`. Wrong: `list(rows(…))` of a file larger than the memory.
    """
    with opened(source) as stream:
        if source.format == "txt":
            yield from text_rows(source.name, stream, layout)
        elif source.format == "jsonl":
            yield from json_rows(source.name, stream, layout)
        elif source.format == "parquet":
            yield from parquet_rows(source.name, stream, layout)
        else:
            yield from csv_rows(source.name, stream, layout, "\t" if source.format == "tsv" else ",")
