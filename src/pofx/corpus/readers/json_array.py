"""Rows of a .json file: the objects of one array, read one at a time. A .json file with an object a line is read, too."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from io import BufferedReader
from itertools import count

from pofx.corpus.readers.fields import FieldSearch
from pofx.corpus.readers.json_lines import ObjectDecoder, json_rows, no_json, row_of
from pofx.corpus.readers.layout import DocumentLayout, NoDocument, RowOutcome
from pofx.errors import BadSource
from pofx.files.limits import too_long

_SPACE = re.compile(r"[ \t\n\r]*")
_CHUNK = 1 << 16


def array_rows(
    name: str, stream: BufferedReader, layout: DocumentLayout, fields: FieldSearch
) -> Iterator[RowOutcome]:
    """Yield a row for each element of an array, with the line where it begins.

    The id of a row is its place, "path#k": elements may share a line.

    Raises:
        BadSource: The array is broken. All whole rows before that place have been yielded.
    """
    head = stream.peek(1).lstrip()
    if head[:1] not in (b"", b"["):
        if head[:1] == b"{" and not head.partition(b"\n")[0][1:].strip():
            raise BadSource(
                f"{name}: expected an array of JSON objects, or an object a line, got one object over several "
                "lines",
                "write its rows as an array, or an object a line (.jsonl)",
            )
        yield from json_rows(name, stream, layout, fields)
        return
    yield from _elements(name, stream, layout, fields)


class _Text:
    """The part of a stream that was read and is needed: it begins with the current element."""

    def __init__(self, name: str, stream: BufferedReader, layout: DocumentLayout) -> None:
        self.name, self.layout = name, layout
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self.held, self.at, self.line = "", 0, 1
        self.ended = False

    def more(self) -> None:
        """Read as many characters as are held already, so that a long element is parsed only a few times."""
        rest = len(self.held) - self.at
        if rest > self.layout.limits.document:
            raise too_long(self.name, self.line, self.layout.limits)
        data = self._stream.read(max(_CHUNK, rest))
        self.ended = not data
        self.held = self.held[self.at :] + self._decode.decode(data, self.ended)
        self.at = 0

    def next(self) -> str:
        """Return the next character that is no white space, or "" at the end; the place moves there."""
        while True:
            self.move(_SPACE.match(self.held, self.at).end())  # type: ignore[union-attr]  # also matches no space
            if self.at < len(self.held) or self.ended:
                return self.held[self.at : self.at + 1]
            self.more()

    def move(self, to: int) -> None:
        """Move the place to `to`, and count the lines on the way."""
        self.line += self.held.count("\n", self.at, to)
        self.at = to

    def broken(self, found: str) -> BadSource:
        """Return the error of an array that cannot be read further."""
        return BadSource(
            f"{self.name}:{self.line}: expected an array of JSON objects, got {found}; the rows before this place "
            "were read",
            "write the file again, or an object a line (.jsonl)",
        )


def _elements(
    name: str, stream: BufferedReader, layout: DocumentLayout, fields: FieldSearch
) -> Iterator[RowOutcome]:
    text, decoder = _Text(name, stream, layout), ObjectDecoder()
    first = text.next()
    if not first:
        return
    if first != "[":
        raise text.broken("something else at its beginning")
    text.move(text.at + 1)
    if text.next() == "]":
        text.move(text.at + 1)
    else:
        for k in count(1):
            line, place = text.line, f"{name}#{k}"
            try:
                document, id_, given, kept = row_of(_element(text, decoder), layout, fields)
                yield line, document, place if id_ is None else id_, given, kept
            except NoDocument as e:
                yield replace(e.at(line), id=place if e.id is None else e.id)
            mark = text.next()
            if mark not in (",", "]"):
                raise text.broken(f"{mark!r} after an element" if mark else "its end missing")
            text.move(text.at + 1)
            if mark == "]":
                break
            text.next()
    if text.next():
        raise text.broken("more after the array")


def _element(text: _Text, decoder: ObjectDecoder) -> object:
    while True:
        try:
            value, end = decoder.value_at(text.held, text.at)
        except (ValueError, RecursionError) as e:
            if text.ended or _is_final(e, text):
                raise text.broken(str(no_json(e)).partition(", got ")[2]) from None
        else:
            if (
                end < len(text.held) or text.ended
            ):  # a number at the end of the held text may have more digits
                if end - text.at > text.layout.limits.document:
                    raise too_long(text.name, text.line, text.layout.limits)
                text.move(end)
                return decoder.checked(value)
        text.more()


def _is_final(e: ValueError | RecursionError, text: _Text) -> bool:
    """Return whether no further text could complete the element."""
    if not isinstance(e, json.JSONDecodeError):
        return True
    return not e.msg.startswith("Unterminated") and e.pos < len(text.held) - 16
