"""Bytes of a file: unpacked, without a byte order mark, cut into lines or pieces in constant memory."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import ModuleType
from typing import Any, BinaryIO

from pofx.errors import BadSource, require
from pofx.source import Source

_CHUNK = 1 << 20
_BOM = b"\xef\xbb\xbf"


@contextmanager
def opened(source: Source) -> Iterator[io.BufferedReader]:
    """The unpacked bytes of a source. What goes wrong with the file inside the `with` becomes `BadSource`.

    Right: `with opened(source) as stream: …`. Wrong: keeping the stream after the `with`.
    """
    name = source.name
    try:
        with _raw(source) as raw:
            yield _unpacked(raw, source)
    except EOFError:
        raise BadSource(
            f"{name}: expected a whole .{source.packing} file, found one that breaks off; "
            "what came before was read; fetch or write the file again"
        ) from None
    except (gzip.BadGzipFile, zlib.error, _BadZstd) as e:
        raise BadSource(
            f"{name}: expected .{source.packing} data, found something else ({e}); "
            "drop that ending from the name if the file is not packed, else fetch it again"
        ) from None
    except OSError as e:
        raise BadSource(
            f"{name}: expected a readable file, found: {e.strerror or e}; check its path and its permissions"
        ) from None


def _raw(source: Source) -> Any:
    if not source.is_stdin:
        return open(source.path, "rb", buffering=_CHUNK)
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise BadSource(
            "stdin: expected a stream of bytes, found none in this process; name a file instead of '-'"
        )
    return nullcontext(stream)  # not ours to close


def _unpacked(raw: io.BufferedReader, source: Source) -> io.BufferedReader:
    if source.packing == "gz":
        return io.BufferedReader(_Gzip(raw), _CHUNK)
    if source.packing == "zst":
        return io.BufferedReader(_Zstd(raw, require("zstandard", "data", f"reading {source.name}")), _CHUNK)
    return raw


class _BadZstd(Exception):
    """zstandard's own error, under a name that exists where zstandard is not installed."""


class _Gzip(io.RawIOBase):
    """A .gz stream, to be buffered: GzipFile.readline is a Python call a line, this one a call a chunk.

    By read1, since GzipFile.read loses what it has unpacked when the file breaks off behind it.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self._file = gzip.GzipFile(fileobj=raw, mode="rb")

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        data = self._file.read1(len(into))
        into[: len(data)] = data
        return len(data)


class _Zstd(io.RawIOBase):
    """The frames of a .zst stream, one after the other.

    zstandard's own stream reader ends a file that breaks off as if it were whole. Here that is an EOFError.
    """

    # Packed bytes at a time: 4 of them can spell 128 KiB, so this bounds the memory at 16 MiB on any file.
    _PIECE = 512

    def __init__(self, raw: BinaryIO, zstandard: ModuleType) -> None:
        self._raw = raw
        self._zstandard = zstandard
        self._frame: Any = None
        self._packed = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        while not self._ready:
            self._packed = self._packed or self._raw.read(self._PIECE)
            if not self._packed:
                if self._frame is not None:
                    raise EOFError
                return 0
            if self._frame is None:
                self._frame = self._zstandard.ZstdDecompressor().decompressobj()
            try:
                self._ready = memoryview(self._frame.decompress(self._packed))
            except self._zstandard.ZstdError as e:
                raise _BadZstd(str(e)) from None
            self._packed = b""
            if self._frame.eof:
                self._packed = self._frame.unused_data
                self._frame = None
        n = min(len(into), len(self._ready))
        into[:n] = self._ready[:n]
        self._ready = self._ready[n:]
        return n


def lines(name: str, stream: BinaryIO) -> Iterator[bytes]:
    """Lines with their endings, cut at \\n alone, in C: linear in the input, however long a line is."""
    first = stream.readline()
    if first:
        yield without_bom(name, first)
    yield from stream


def blocks(name: str, stream: io.BufferedReader) -> Iterator[bytes]:
    """About a megabyte of whole lines at a time (more where one line is longer); linear in the input."""
    held: list[bytes] = []
    chunk = without_bom(name, stream.read(len(_BOM))) + stream.read1(_CHUNK)
    while chunk:
        end = chunk.rfind(b"\n") + 1
        if end:
            yield b"".join(held) + chunk[:end]
            held = [chunk[end:]] if end < len(chunk) else []
        else:
            held.append(chunk)
        chunk = stream.read1(_CHUNK)
    if held:
        yield b"".join(held)


def pieces(name: str, stream: io.BufferedReader, separator: bytes) -> Iterator[tuple[bytes, bool]]:
    """`bytes.split(separator)` of the whole stream, each with whether it is the last.

    Holds one piece and one chunk; linear in the input. Every piece is yielded before more is read.
    """
    keep = len(separator) - 1
    held: list[bytes] = []
    tail = b""  # the end of what was read, in which a separator may have begun
    chunk = without_bom(name, stream.read(len(_BOM))) + stream.read1(_CHUNK)
    while chunk:
        *whole, rest = (tail + chunk).split(separator)
        for piece in whole:
            held.append(piece)
            yield b"".join(held), False
            held.clear()
        cut = max(len(rest) - keep, 0)
        held.append(rest[:cut])
        tail = rest[cut:]
        chunk = stream.read1(_CHUNK)
    yield b"".join(held) + tail, True


def without_bom(name: str, head: bytes) -> bytes:
    """The first bytes of a file without the mark of UTF-8; `BadSource` if they are the mark of UTF-16."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadSource(
            f"{name}: expected UTF-8, found the byte order mark of UTF-16; "
            "convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW"
        )
    return head.removeprefix(_BOM)
