"""Rows of JSON lines: an object a line, the document in one of its fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BufferedReader
from typing import Any

from pofx.corpus.readers.cells import read_document
from pofx.corpus.readers.fields import FieldSearch, value_at
from pofx.corpus.readers.layout import Content, DocumentLayout, NoDocument, RowOutcome, not_text
from pofx.corpus.streams import read_lines
from pofx.errors import Advice, BadSource
from pofx.files.json_file import json_kind, key_twice, unreadable

# What to do about a whole number that Python does not read.
DIGITS = Advice("write the number as a string")


def json_rows(
    name: str, stream: BufferedReader, layout: DocumentLayout, fields: FieldSearch, inside: bool = False
) -> Iterator[RowOutcome]:
    """Yield one row for each line, None for a blank line.

    Args:
        name: The file, for messages.
        stream: The lines.
        layout: Where documents stand in a row.
        fields: The search that notes each object.
        inside: Whether lines of the file stand before the stream.

    Raises:
        BadSource: The first line begins an array of objects.
    """
    first, decoder = not inside, ObjectDecoder()
    for line, data in enumerate(read_lines(name, stream, layout.limits), 1):
        if not data.strip():
            yield None
            continue
        if first and _begins_array(data):
            raise BadSource(
                f"{name}: expected a JSON object on each line, got an array of objects",
                Advice("name the format", "format='json'", "--format json"),
            )
        first = False
        try:
            yield (line, *row_of(_parsed(data, layout, decoder), layout, fields))
        except NoDocument as e:
            yield e.at(line)


class ObjectDecoder:
    """A decoder of rows, which sees a key that an object has twice: `json` alone takes the last value without a word."""

    def __init__(self) -> None:
        self._twice: str | None = None
        self._json = json.JSONDecoder(object_pairs_hook=self._object)

    def decode(self, text: str) -> object:
        """Return the value that is the whole text. `NoDocument` where an object in it has a key twice."""
        self._twice = None
        return self.checked(self._json.decode(text))

    def value_at(self, text: str, at: int) -> tuple[object, int]:
        """Return the value that begins at a place, and the place after it. `checked` refuses a key that occurs twice."""
        self._twice = None
        return self._json.raw_decode(text, at)

    def checked(self, value: object) -> object:
        """Return the last value that was read. `NoDocument` where an object in it has a key twice."""
        if self._twice is not None:
            raise NoDocument(f"expected a JSON object with each key once, got {self._twice}")
        return value

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        record = dict(pairs)
        if len(record) < len(pairs):
            self._twice = key_twice(pairs)
        return record


def row_of(record: object, layout: DocumentLayout, fields: FieldSearch) -> Content:
    """Return the document of an object, and note the names of its fields in `fields`.

    Raises:
        NoDocument: The value is no object, or the object holds no document.
    """
    if not isinstance(record, dict):
        raise NoDocument(f"expected a JSON object, got {json_kind(record)}")
    if fields.missing:
        fields.note(record)
    cells = [record[name] if name in record else value_at(record, name) for name in layout.columns]
    return read_document(cells, layout, record)


def no_json(e: ValueError | RecursionError) -> NoDocument:
    """Return the fault of a text that is no JSON, by the error that Python's `json` raised."""
    if isinstance(e, json.JSONDecodeError):
        return NoDocument(f"expected a JSON object, got no JSON: {e.msg} at character {e.pos}")
    if isinstance(e, RecursionError):
        return NoDocument("expected a JSON object, got an object nested too deep to read")
    return NoDocument(f"expected a JSON object, got {unreadable(e)}", DIGITS)


def _parsed(data: bytes, layout: DocumentLayout, decoder: ObjectDecoder) -> object:
    try:
        return decoder.decode(data.decode())
    except UnicodeDecodeError as e:
        raise NoDocument(*not_text(e, "line", layout.encoding)) from None
    except (ValueError, RecursionError) as e:
        raise no_json(e) from None


def _begins_array(line: bytes) -> bool:
    """Return whether a line is `[`, alone or with an object after it: no row, but the beginning of an array of rows."""
    return line.lstrip().startswith(b"[") and line.strip()[1:].lstrip()[:1] in (b"", b"{")
