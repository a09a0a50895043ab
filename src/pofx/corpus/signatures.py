"""Binary files whose name says text, recognised by their first bytes."""

from __future__ import annotations

from pofx.errors import Advice, BadSource

# The first bytes, the kind of file that begins so, and the packing or format by which pofx reads that kind, if any.
_SIGNATURES = (
    (b"\x1f\x8b\x08", "gzip data", "gz"),
    (b"\x28\xb5\x2f\xfd", "Zstandard data", "zst"),
    (b"PAR1\x15", "Parquet", "parquet"),
    (b"PK\x03\x04", "a zip archive (or a document of an office program)", None),
    (b"\xfd7zXZ\x00", "xz data", "xz"),
    (b"BZh91AY&SY", "bzip2 data", "bz2"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", None),
    (b"%PDF-1.", "PDF", None),
    (b"\x7fELF", "a program", None),
    (b"\x89PNG\r\n\x1a\n", "a picture (PNG)", None),
    (b"\xff\xd8\xff", "a picture (JPEG)", None),
    (b"SQLite format 3\x00", "a database of SQLite", None),
)


def refuse_other(name: str, head: bytes, kind: str, packing: str) -> None:
    """Raise `BadSource` if a text file, unpacked, begins like another kind of file; the message says what reads it."""
    found, reader = next(
        ((what, by) for mark, what, by in _SIGNATURES if head.startswith(mark)), (None, None)
    )
    if found is None:
        return
    then: str | Advice
    if packing:
        then = f"unpack the outer .{packing} first"
    elif reader is None:
        then = f"unpack the file, or convert it to {kind}, first"
    else:
        by = reader if reader == "parquet" else f"{kind}.{reader}"
        then = Advice("name the format", f"format={by!r}", f"--format {by}")
    raise BadSource(f"{name}: expected text, got {found}", then)
