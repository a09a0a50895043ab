"""The bytes of a text file as UTF-8: the caller names the encoding, or the file shows it by itself."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable
from typing import Any

from pofx.errors import Advice, Argument, BadSource, BadValue

_CHUNK = 1 << 20
# So many first bytes of a file are searched for a byte order mark or zero bytes, which show an encoding.
_HEAD = 1024
# UTF-32 stands before UTF-16, since the mark of UTF-16-LE is the beginning of the mark of UTF-32-LE.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32", "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16", "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16", "utf-16-be"),
)
# Codecs of Python that no text file is written in, or in which several byte sequences spell one string.
_NO_ENCODINGS = {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7"}


def check_encoding(encoding: str) -> str:
    """Return Python's name of an encoding.

    Raises:
        BadValue: Python has no text encoding of that name.
    """
    try:
        found = codecs.lookup(encoding)
    except (LookupError, ValueError, TypeError):
        found = None
    # The attribute by which Python's own open() tells, say, hex from an encoding of text.
    if found is None or not found._is_text_encoding or found.name in _NO_ENCODINGS:
        raise BadValue(
            f"expected an encoding that Python knows, such as utf-8, latin-1, cp1252 or utf-16, got {encoding!r:.40}",
            "write the name of an encoding, or leave the option out for UTF-8",
            Argument("encoding", "--encoding"),
        )
    return "utf-8" if found.name == "utf-8-sig" else found.name


def as_utf8(
    name: str,
    stream: io.BufferedReader,
    encoding: str | None,
    check: Callable[[bytes], None] = lambda head: None,
) -> io.BufferedReader:
    """Return the stream in UTF-8 without a byte order mark.

    Bytes that the encoding does not know become bytes that are no UTF-8, so that only their row is a bad row.

    Args:
        name: The file, for messages.
        stream: The bytes of the file.
        encoding: The encoding that the caller named; None for UTF-8.
        check: A function of the first bytes, which raises to refuse them.

    Raises:
        BadSource: The file shows another encoding than `encoding`.
    """
    # The first read waits for as many bytes as the longest mark has; the second takes the bytes that have arrived.
    head = stream.read(4)
    head += stream.read1(_HEAD - 4) if len(head) == 4 else b""
    check(head)
    mark, marked, exact = next((m for m in _MARKS if head.startswith(m[0])), (b"", None, None))
    if encoding is None:
        found = marked or _unmarked(head)
        if found not in (None, "utf-8"):
            how = "its byte order mark" if marked else "its zero bytes"
            raise BadSource(
                f"{name}: expected UTF-8, got {found.upper()} by {how}",
                Advice("name the encoding of the file", f"encoding={found!r}", f"--encoding {found}"),
            )
    elif encoding in ("utf-16", "utf-32") and head and marked is None:
        found = _unmarked(head) or f"{encoding}-le"
        raise BadSource(
            f"{name}: expected {encoding.upper()} with a byte order mark, got none",
            Advice("name the byte order", f"encoding={found!r}", f"--encoding {found}"),
        )
    elif marked is not None and encoding not in (marked, exact):
        raise BadSource(
            f"{name}: expected {encoding}, got the byte order mark of {marked.upper()}",
            Advice("name the encoding of the file", f"encoding={marked!r}", f"--encoding {marked}"),
        )
    if encoding not in ("utf-16", "utf-32"):  # Python's codecs of these two need the mark, and remove it
        head = head.removeprefix(mark)
    raw: io.RawIOBase = _Joined(head, stream)
    if encoding not in (None, "utf-8"):
        raw = _Transcoded(raw, str(encoding))
    return io.BufferedReader(raw, _CHUNK)


def _unmarked(head: bytes) -> str | None:
    """Recognise UTF-16 or UTF-32 without a mark, by the places of the zero bytes of ASCII characters; None for neither."""
    quarter = len(head) // 4
    zeros = [head[k : 4 * quarter : 4].count(0) for k in range(4)]
    # A disk that failed leaves zero bytes alone, which show no encoding.
    if quarter == 0 or not any(head):
        return None
    # Of four bytes of UTF-32 the first is always zero, the second in nearly every text.
    if zeros[3] == quarter and zeros[2] >= 0.9 * quarter:
        return "utf-32-le"
    if zeros[0] >= quarter and zeros[1] >= 0.9 * quarter:
        return "utf-32-be"
    even, odd = zeros[0] + zeros[2], zeros[1] + zeros[3]
    if odd >= 1.5 * quarter and even <= odd // 10:
        return "utf-16-le"
    if even >= 1.5 * quarter and odd <= even // 10:
        return "utf-16-be"
    return None


class _Joined(io.RawIOBase):
    """The first bytes of a stream, which were read already, and then the rest of the stream."""

    def __init__(self, head: bytes, rest: io.BufferedReader) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        data = self._head[: len(into)] or self._rest.read1(len(into))
        self._head = self._head[len(into) :]
        into[: len(data)] = data
        return len(data)


class _Transcoded(io.RawIOBase):
    """A stream of another encoding, in UTF-8."""

    def __init__(self, raw: io.RawIOBase, encoding: str) -> None:
        self._raw = raw
        self._decoder = codecs.getincrementaldecoder(encoding)(_HANDLER)
        self._ready = b""
        self._done = False

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        while not self._ready and not self._done:
            data = self._raw.read(_CHUNK) or b""
            self._done = not data
            self._ready = self._decoder.decode(data, self._done).encode("utf-8", _HANDLER)
        data = self._ready[: len(into)]
        self._ready = self._ready[len(into) :]
        into[: len(data)] = data
        return len(data)


def _keep_bad(e: UnicodeError) -> tuple[str | bytes, int]:
    """Keep a byte that the encoding does not know: as U+DC80 to U+DCFF in the text, and as a stray byte in UTF-8."""
    if isinstance(e, UnicodeDecodeError):
        return "".join(chr(0xDC00 + (b if b >= 0x80 else 0xFF)) for b in e.object[e.start : e.end]), e.end
    if isinstance(e, UnicodeEncodeError):
        codes = [ord(c) for c in e.object[e.start : e.end]]
        return bytes(c - 0xDC00 if 0xDC80 <= c <= 0xDCFF else 0xFF for c in codes), e.end
    raise e


_HANDLER = "pofx-keep-bad"
codecs.register_error(_HANDLER, _keep_bad)
