"""Rows of text: lines, whole files, or what stands between separators."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader

from pofx.reading.layout import Fault, Found, Layout, Run, not_utf8
from pofx.streams import blocks, pieces, without_bom


def text_rows(name: str, stream: BufferedReader, layout: Layout) -> Iterator[Found]:
    """A line each (in runs), the whole file, or a piece between separators."""
    if layout.separator is not None:
        yield from _separated_rows(name, stream, layout.separator)
        return
    if layout.split == "file":
        data = without_bom(name, stream.read())
        try:
            yield (1, data.decode(), None, None, ()) if data else None
        except UnicodeDecodeError as e:
            yield Fault(1, not_utf8(e, "file"))
        return
    line = 1
    for block in blocks(name, stream):
        # By the block is twice as fast as by the line; only one with a fault is taken apart first.
        try:
            run = _cut(block.decode())
        except UnicodeDecodeError:
            for data in block.removesuffix(b"\n").split(b"\n"):
                try:
                    yield Run(line, _cut(data.decode() + "\n"))
                except UnicodeDecodeError as e:
                    yield Fault(line, not_utf8(e, "line"))
                line += 1
        else:
            yield Run(line, run)
            line += len(run)


def _cut(text: str) -> list[str]:
    r"""Lines without their endings, \n or \r\n. Not str.splitlines, which cuts at U+2028 as well."""
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
    return text.removesuffix("\n").split("\n")


def _separated_rows(name: str, stream: BufferedReader, separator: str) -> Iterator[Found]:
    mark = separator.encode("utf-8")
    line, k = 1, 0
    for piece, is_last in pieces(name, stream, mark):
        data = piece
        if is_last:
            # The line ending that editors put at the end of a file is no part of its last document.
            data = piece.removesuffix(b"\r\n") if piece.endswith(b"\r\n") else piece.removesuffix(b"\n")
        k += bool(data)
        try:
            text = data.decode()
        except UnicodeDecodeError as e:
            yield Fault(line, not_utf8(e, "document"))
        else:
            yield (line, text, f"{name}#{k}", None, ()) if text else None
        line += piece.count(b"\n") + mark.count(b"\n")
