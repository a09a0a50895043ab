"""Files in .gz and .zst as unpacked streams, in constant memory and within limits of size."""

from __future__ import annotations

import gzip
import io
from types import ModuleType
from typing import Any, BinaryIO

from pofx.errors import BadSource
from pofx.files.limits import Limits


class BadZstd(Exception):
    """zstandard's own error, under a name that exists where zstandard is not installed."""


class _Counted:
    """A packed stream, and how many of its bytes were asked for."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self.n = 0

    def read(self, size: int = -1) -> bytes:
        data = self._raw.read(size)
        self.n += len(data)
        return data


class Unpacked(io.RawIOBase):
    """The unpacked bytes of a packed stream, whose number is checked against the limits."""

    def __init__(self, name: str, raw: BinaryIO, limits: Limits) -> None:
        self._name, self._limits = name, limits
        self._packed = _Counted(raw)
        self._n = 0

    def readable(self) -> bool:
        """Return True: the stream can be read."""
        return True

    @property
    def is_doubtful(self) -> bool:
        """Whether more bytes should be read, to check the expansion, before the bytes so far are used."""
        return self._limits.is_doubtful(self._packed.n, self._n)

    def readinto(self, into: Any) -> int:
        """Read unpacked bytes into a buffer; raise `BadSource` where few packed bytes unfold to too many."""
        data = self._next(len(into))
        self._n += len(data)
        self._limits.check_expansion(self._name, self._packed.n, self._n)
        into[: len(data)] = data
        return len(data)

    def _next(self, most: int) -> bytes | memoryview:
        raise NotImplementedError


class Gzip(Unpacked):
    """A .gz stream, which is read in chunks, since `GzipFile.readline` is a Python call for each line.

    The class calls `read1`, since `GzipFile.read` loses unpacked bytes where the file breaks off.
    """

    def __init__(self, name: str, raw: BinaryIO, limits: Limits) -> None:
        super().__init__(name, raw, limits)
        packed: Any = self._packed
        self._file: gzip.GzipFile = gzip.GzipFile(fileobj=packed, mode="rb")

    def _next(self, most: int) -> bytes:
        return self._file.read1(most)


class Zstd(Unpacked):
    """The frames of a .zst stream, one after the other.

    The stream reader of zstandard takes a file that breaks off for a whole file. Here such a file is an `EOFError`.
    """

    # Packed bytes of one read. Since 4 packed bytes can spell 128 KiB, the memory stays within 16 MiB on any file.
    _PIECE = 512

    def __init__(self, name: str, raw: BinaryIO, limits: Limits, zstandard: ModuleType) -> None:
        super().__init__(name, raw, limits)
        self._zstandard = zstandard
        self._frame: Any = None
        self._held = b""
        self._ready = memoryview(b"")

    def _next(self, most: int) -> memoryview:
        while not self._ready:
            self._held = self._held or self._packed.read(self._PIECE)
            if not self._held:
                if self._frame is not None:
                    raise EOFError
                return self._ready
            if self._frame is None:
                self._frame = self._zstandard.ZstdDecompressor().decompressobj()
            try:
                self._ready = memoryview(self._frame.decompress(self._held))
            except self._zstandard.ZstdError as e:
                if "too much memory" in str(e):
                    raise BadSource(
                        f"{self._name}: expected a .zst frame that looks back by at most 128 MiB, got a frame that claims "
                        "more",
                        "pack the file again, without --long or --ultra",
                    ) from None
                raise BadZstd(str(e)) from None
            self._held = b""
            if self._frame.eof:
                self._held = self._frame.unused_data
                self._frame = None
        data = self._ready[:most]
        self._ready = self._ready[most:]
        return data
