"""Bytes of a file: unpacked, in UTF-8 without a byte order mark, cut into lines or pieces in constant memory."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import Any, BinaryIO

from pofx.corpus.encoding import as_utf8
from pofx.corpus.remote import open_url
from pofx.corpus.signatures import refuse_other
from pofx.corpus.source import Source
from pofx.corpus.stretch import Stretch, bytes_of
from pofx.corpus.unpacking import BadPacked, Unpacked
from pofx.errors import BadSource
from pofx.files.limits import DEFAULT, Limits, too_long
from pofx.files.urls import is_url

_CHUNK = 1 << 20


@contextmanager
def open_text(
    source: Source, encoding: str | None = None, limits: Limits = DEFAULT
) -> Iterator[io.BufferedReader]:
    """Open the text of a source as UTF-8; Parquet is opened as it is.

    Raises:
        BadSource: The file cannot be read, is packed otherwise, breaks off, or has another encoding. Errors of reading
            inside the `with` are raised as `BadSource`, too.

    Right: `with open_text(source) as stream: …`. Wrong: keeping the stream after the `with`.
    """
    stretch = source.stretch
    with open_bytes(source, limits) as stream:
        # U+FEFF at the beginning of a later line is text, and no mark.
        inside = stretch is not None and not (stretch.begins_file or stretch.header)
        if source.format == "parquet" or inside:
            yield stream
            return

        def check(head: bytes) -> None:
            refuse_other(source.name, head, source.format, source.packing)

        yield as_utf8(source.name, stream, encoding, check)


@contextmanager
def open_bytes(
    source: Source, limits: Limits = DEFAULT, begun: Callable[[int, int], None] | None = None
) -> Iterator[io.BufferedReader]:
    """Open the unpacked bytes of a source or of its stretch; Parquet is opened as it is.

    Args:
        source: The source.
        limits: The most bytes that packed bytes may give.
        begun: A function that is called as each member of a packed file begins, with the packed and the unpacked bytes
            before the member.

    Raises:
        BadSource: The file cannot be read, is packed otherwise, or breaks off, also inside the `with`.
    """
    name = source.name
    try:
        with _raw(source) as raw:
            if source.format == "parquet":
                yield raw
            elif source.stretch is None:
                yield _unpacked(raw, source, limits, begun)
            elif source.packing:
                yield bytes_of(source.stretch, _Members(raw, source, source.stretch, limits))
            else:
                yield bytes_of(source.stretch, raw)
    except EOFError:
        raise BadSource(
            f"{name}: expected a whole .{source.packing} file, got a file that breaks off; the rows before the end "
            "were read",
            "fetch or write the file again",
        ) from None
    except BadPacked as e:
        raise BadSource(
            f"{name}: expected .{source.packing} data, got something else ({e})",
            f"drop .{source.packing} from the name if the file is not packed, else fetch the file again",
        ) from None
    except OSError as e:
        raise BadSource(
            f"{name}: expected a readable file, got: {e.strerror or e}",
            "check its path and its permissions",
        ) from None


def _raw(source: Source) -> Any:
    if is_url(source.path):
        return open_url(source.path)
    if not source.is_stdin:
        # Python's own `open` reads a pipe, a device and a name of any bytes as they are; fsspec's `open` does not.
        return open(source.path, "rb", buffering=_CHUNK)
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise BadSource(
            "stdin: expected a stream of bytes, got none in this process", "name a file instead of '-'"
        )
    return nullcontext(stream)  # the process, and not pofx, closes its standard input


def _unpacked(
    raw: io.BufferedReader, source: Source, limits: Limits, begun: Callable[[int, int], None] | None = None
) -> io.BufferedReader:
    if not source.packing:
        return raw
    return io.BufferedReader(Unpacked(source.name, raw, source.packing, limits, begun), _CHUNK)


class _Members:
    """A packed file whose unpacked bytes can be read from two places: its beginning, and the member that a stretch names."""

    def __init__(self, raw: io.BufferedReader, source: Source, stretch: Stretch, limits: Limits) -> None:
        self._raw, self._source, self._stretch, self._limits = raw, source, stretch, limits
        self._stream = _unpacked(raw, source, limits)

    def seek(self, at: int) -> int:
        """Go to an unpacked byte; the bytes of the member before the place are read and dropped."""
        packed, unpacked = (
            (0, 0) if at < self._stretch.unpacked else (self._stretch.packed, self._stretch.unpacked)
        )
        if self._raw.tell() != packed:
            self._raw.seek(packed)
        self._stream = _unpacked(self._raw, self._source, self._limits)
        left = at - unpacked
        while left and (data := self._stream.read(min(_CHUNK, left))):
            left -= len(data)
        return at

    def read(self, size: int) -> bytes:
        """Return the next unpacked bytes."""
        return self._stream.read(size)


def check_expansion(source: Source, limits: Limits) -> None:
    """Raise `BadSource` if the first megabytes of a packed file unfold too far; most files need one megabyte."""
    if not source.packing:
        return
    # The reading itself reports all other faults of the file.
    with suppress(EOFError, BadPacked, OSError), _raw(source) as raw:
        unpacked = Unpacked(source.name, raw, source.packing, limits)
        while unpacked.read(_CHUNK) and unpacked.is_doubtful:
            pass


def read_lines(name: str, stream: BinaryIO, limits: Limits = DEFAULT) -> Iterator[bytes]:
    r"""Read lines with their endings, cut at \n only; in C, so linear in the input however long a line is."""
    longest = limits.document
    for n, line in enumerate(iter(partial(stream.readline, longest + 1), b""), 1):
        if len(line) > longest:
            raise too_long(name, n, limits)
        yield line


def read_line_blocks(name: str, stream: io.BufferedReader, limits: Limits = DEFAULT) -> Iterator[bytes]:
    """Read whole lines, about a megabyte at a time (more where one line is longer); linear in the input."""
    held: list[bytes] = []
    size, line = 0, 1
    while chunk := stream.read1(_CHUNK):
        end = chunk.rfind(b"\n") + 1
        if end:
            block = b"".join(held) + chunk[:end]
            if len(block) > limits.document:
                _check_lines(name, line, block, limits)
            yield block
            line += block.count(b"\n")
            held = [chunk[end:]] if end < len(chunk) else []
            size = len(chunk) - end
        else:
            held.append(chunk)
            size += len(chunk)
        if size > limits.document:
            raise too_long(name, line, limits)
    if held:
        yield b"".join(held)


def _check_lines(name: str, line: int, block: bytes, limits: Limits) -> None:
    for n, each in enumerate(block.split(b"\n"), line):
        if len(each) > limits.document:
            raise too_long(name, n, limits)


def read_pieces(
    name: str, stream: io.BufferedReader, separator: bytes, limits: Limits = DEFAULT
) -> Iterator[tuple[bytes, bytes]]:
    r"""Yield the stream cut at each separator: pieces with the separator that ends each, b"" after the last.

    A \n of the separator also matches a \r\n, unless the separator itself has a \r before the \n. The function holds one
    piece and one chunk, and its time is linear in the input. Every piece is yielded before more is read.
    """
    pattern, longest = _cut_at(separator)
    held: list[bytes] = []
    size = 0
    tail = b""  # the last bytes that were read, in which a separator may have begun
    while chunk := stream.read1(_CHUNK):
        data = tail + chunk
        at = 0
        for mark, start, end in _marks(data, separator, pattern):
            held.append(data[at:start])
            yield _short(name, b"".join(held), limits), mark
            held.clear()
            size, at = 0, end
        cut = max(len(data) - longest + 1, at)
        held.append(data[at:cut])
        size += cut - at
        tail = data[cut:]
        if size > limits.document:
            raise too_long(name, None, limits)
    yield _short(name, b"".join(held) + tail, limits), b""


def _short(name: str, piece: bytes, limits: Limits) -> bytes:
    if len(piece) > limits.document:
        raise too_long(name, None, limits)
    return piece


def _cut_at(separator: bytes) -> tuple[re.Pattern[bytes], int]:
    r"""Return the separator as a pattern whose \n may be \r\n, and the length of its longest match."""
    parts = re.split(rb"(?<!\r)\n", separator)
    pattern = rb"\r?\n".join(map(re.escape, parts))
    return re.compile(pattern), len(separator) + len(parts) - 1


def _marks(data: bytes, separator: bytes, pattern: re.Pattern[bytes]) -> Iterator[tuple[bytes, int, int]]:
    r"""Find the separators in `data`; without any \r in the data by `bytes.find`, which is faster."""
    if b"\r" in data:
        for found in pattern.finditer(data):
            yield found[0], found.start(), found.end()
        return
    at = data.find(separator)
    while at >= 0:
        yield separator, at, at + len(separator)
        at = data.find(separator, at + len(separator))
