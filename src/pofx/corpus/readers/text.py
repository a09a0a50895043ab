"""Rows of text: lines, whole files, or the pieces between separators."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader

from pofx.corpus.readers.fasttext import MARK
from pofx.corpus.readers.layout import DocumentLayout, LineRun, NoDocument, RowOutcome, not_text
from pofx.corpus.streams import read_line_blocks, read_pieces
from pofx.errors import Advice, BadSource
from pofx.files.limits import too_long


def text_rows(name: str, stream: BufferedReader, layout: DocumentLayout, named: bool) -> Iterator[RowOutcome]:
    """Yield the lines of a text (in runs), the whole text, or the pieces between separators, as `layout.split` says.

    Args:
        name: The file, for messages.
        stream: The bytes of the file.
        layout: How the file holds documents.
        named: Whether the caller named the format; else labels of fastText are refused.
    """
    if not named and layout.split == "line" and stream.peek(len(MARK)).startswith(MARK.encode()):
        raise BadSource(
            f"{name}: expected lines of text, got labels of fastText ({MARK}…) in front of them",
            [
                Advice("name the format", "format='fasttext'", "--format fasttext"),
                Advice("say so if the labels are text", "format='txt'", "--format txt"),
            ],
        )
    if layout.separator is not None:
        yield from _separated_rows(name, stream, layout, layout.separator)
        return
    if layout.split == "file":
        data = stream.read(layout.limits.document + 1)
        if len(data) > layout.limits.document:
            raise too_long(name, 1, layout.limits)
        try:
            yield (1, data.decode(), None, None, ()) if data else None
        except UnicodeDecodeError as e:
            yield NoDocument(*not_text(e, "file", layout.encoding)).at(1)
        return
    line = 1
    for block in read_line_blocks(name, stream, layout.limits):
        # Decoding by the block is twice as fast as by the line; only a block with a fault is first cut into lines.
        try:
            run = _cut(block.decode())
        except UnicodeDecodeError:
            for data in block.removesuffix(b"\n").split(b"\n"):
                try:
                    yield LineRun(line, _cut(data.decode() + "\n"))
                except UnicodeDecodeError as e:
                    yield NoDocument(*not_text(e, "line", layout.encoding)).at(line)
                line += 1
        else:
            yield LineRun(line, run)
            line += len(run)


def _cut(text: str) -> list[str]:
    r"""Return the lines of a text without their endings, \n or \r\n; `str.splitlines` would cut at U+2028 as well."""
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
    return text.removesuffix("\n").split("\n")


def _separated_rows(
    name: str, stream: BufferedReader, layout: DocumentLayout, separator: str
) -> Iterator[RowOutcome]:
    line, k = 1, 0
    for piece, mark in read_pieces(name, stream, separator.encode("utf-8"), layout.limits):
        data = piece
        if not mark:
            # The line ending that editors put at the end of a file is no part of its last document.
            data = piece.removesuffix(b"\r\n") if piece.endswith(b"\r\n") else piece.removesuffix(b"\n")
        k += bool(data)
        try:
            text = data.decode()
        except UnicodeDecodeError as e:
            yield NoDocument(*not_text(e, "document", layout.encoding)).at(line)
        else:
            yield (line, text, f"{name}#{k}", None, ()) if text else None
        line += piece.count(b"\n") + mark.count(b"\n")
