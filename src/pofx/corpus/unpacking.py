"""Packed files (.gz, .zst, .bz2, .xz) as unpacked streams, in constant memory and within limits of size."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, Literal

from pofx.errors import BadSource, require
from pofx.files.limits import Limits

Packing = Literal["", "gz", "zst", "bz2", "xz"]
PACKINGS: tuple[Packing, ...] = ("gz", "zst", "bz2", "xz")
# Packed bytes of one read. zstandard has no bound on what one call unpacks, and 4 packed bytes can spell 128 KiB, so its
# pieces are short enough for 16 MiB of memory on any file.
_PIECE, _PIECE_OF_ZSTD = 1 << 16, 512
# The window of a stream, bytes: zstandard's own bound, and that of `xz -9` with room to spare.
_WINDOW = 1 << 27


class BadPacked(Exception):
    """The bytes are not those of a packed file; one name for the errors of four libraries."""


class Unpacked(io.RawIOBase):
    """The unpacked bytes of a packed stream, whose number is checked against the limits.

    The stream is a sequence of members (frames of .zst, streams of .bz2 and .xz), which each can be unpacked alone. A stream
    that ends inside a member is an `EOFError`.
    """

    def __init__(
        self,
        name: str,
        raw: BinaryIO,
        packing: Packing,
        limits: Limits,
        begun: Callable[[int, int], None] | None = None,
    ) -> None:
        """Make the stream.

        Args:
            name: The file, for messages.
            raw: The packed bytes, from the beginning of a member on.
            packing: How the bytes are packed, not "".
            limits: The most bytes that packed bytes may give.
            begun: A function that is called as each member begins, with the packed and the unpacked bytes before the member.
        """
        self._name, self._raw, self._packing, self._limits, self._begun = name, raw, packing, limits, begun
        self._zstd = require("zstandard", "data", f"reading {name}") if packing == "zst" else None
        self._member: Any = None
        self._members = 0
        self._held = b""
        self._ready = memoryview(b"")
        self._n = 0
        self.packed = 0

    def readable(self) -> bool:
        """Return True: the stream can be read."""
        return True

    @property
    def is_doubtful(self) -> bool:
        """Whether more bytes should be read, to check the expansion, before the bytes so far are used."""
        return self._limits.is_doubtful(self.packed, self._n)

    def readinto(self, into: Any) -> int:
        """Read unpacked bytes into a buffer; raise `BadSource` where few packed bytes unfold to too many."""
        data = self._next(len(into))
        self._n += len(data)
        self._limits.check_expansion(self._name, self.packed, self._n)
        into[: len(data)] = data
        return len(data)

    def _next(self, most: int) -> memoryview:
        """Return at most `most` bytes of one member; none at the end of the file."""
        ended = False
        while not self._ready:
            if not self._held and (self._member is None or self._takes_more):
                self._held = self._raw.read(_PIECE if self._zstd is None else _PIECE_OF_ZSTD)
                self.packed += len(self._held)
                ended = not self._held
            if self._member is None:
                if self._members and self._packing in (
                    "gz",
                    "xz",
                ):  # zero bytes may fill up what stands after a member
                    self._held = self._held.lstrip(b"\0")
                    if not (self._held or ended):
                        continue
                if ended:
                    return self._ready
                self._member = self._new_member()
                self._members += 1
                if self._begun is not None:
                    self._begun(self.packed - len(self._held), self._n)
            self._ready = memoryview(self._unpack(most))
            if self._member.eof:
                self._held = self._member.unused_data
                self._member = None
            elif ended and not self._ready:
                raise EOFError
        data = self._ready[:most]
        self._ready = self._ready[most:]
        return data

    @property
    def _takes_more(self) -> bool:
        """Whether the member needs bytes; bz2 and lzma would hold any number of bytes that they have not unpacked yet."""
        return self._packing not in ("bz2", "xz") or bool(self._member.needs_input)

    def _new_member(self) -> Any:
        if self._packing == "gz":
            return zlib.decompressobj(31)
        if self._packing == "bz2":
            return bz2.BZ2Decompressor()
        if self._packing == "xz":
            return lzma.LZMADecompressor(lzma.FORMAT_XZ, _WINDOW)
        assert self._zstd is not None  # noqa: S101  (ours: the last of four packings)
        return self._zstd.ZstdDecompressor().decompressobj()

    def _unpack(self, most: int) -> bytes:
        """Return bytes of the member; `_held` keeps what the member has not taken yet."""
        data, self._held = self._held, b""
        try:
            if self._packing == "gz":
                out: bytes = self._member.decompress(data, most)
                self._held = self._member.unconsumed_tail
            elif self._packing == "zst":
                out = self._member.decompress(data)
            else:
                out = self._member.decompress(data, most)
        except (zlib.error, lzma.LZMAError, OSError) as e:  # bz2 raises OSError
            self._refuse_window(str(e), "Memory usage limit", " with `xz -9` or less")
            raise BadPacked(str(e)) from None
        except Exception as e:
            if self._zstd is None or not isinstance(e, self._zstd.ZstdError):
                raise
            self._refuse_window(str(e), "too much memory", ", without --long or --ultra")
            raise BadPacked(str(e)) from None
        return out

    def _refuse_window(self, said: str, mark: str, how: str) -> None:
        if mark in said:
            raise BadSource(
                f"{self._name}: expected a .{self._packing} frame that looks back by at most 128 MiB, got a frame that "
                "claims more",
                f"pack the file again{how}",
            )
