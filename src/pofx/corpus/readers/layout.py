"""The layout of documents in a file, and the outcomes of reading a row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pofx.errors import Advice
from pofx.files.limits import DEFAULT, Limits

Split = Literal["line", "file"]
# The meaning of a quote in CSV and TSV: a character like any other, or the mark around a field that may hold delimiters.
Quoting = Literal["none", "minimal"]
# The text, the id, the prefix and the kept fields of a document. In a `Row` the number of the line stands before them.
Content = tuple[str, str | None, str | None, tuple[object, ...]]
Row = tuple[int, str, str | None, str | None, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that holds no document.

    Attributes:
        line: The line where the row begins, counted from 1.
        why: The reason: what was expected, and what pofx got.
        id: The id of the row, None where it is not known.
        kept: The values of the fields that `keep` named.
        advice: What can be done about the row.
    """

    line: int
    why: str
    id: str | None = None
    kept: tuple[object, ...] = ()
    advice: tuple[Advice, ...] = ()


@dataclass(frozen=True, slots=True)
class LineRun:
    """Consecutive lines of text, of which an empty line is no document.

    Attributes:
        line: The number of the first line, counted from 1.
        texts: The lines without their endings.
    """

    line: int
    texts: list[str]


@dataclass(frozen=True)
class DocumentLayout:
    """How documents stand in a file.

    Attributes:
        field: The field of the text, in formats that have fields.
        id: The field of the id; None where rows are named by their place.
        split: Whether a document of txt is a line or a whole file.
        separator: The string between documents of txt; None where `split` decides.
        given: The field of the prefix; None without prefixes.
        keep: Further fields, which are handed out as they are.
        delimiter: The character between columns of CSV and TSV; None for the comma or the tab.
        quoting: The meaning of quotes in CSV and TSV; None where rows that could be read both ways are bad rows.
        encoding: The encoding of all formats but Parquet; None for UTF-8.
        limits: The largest document and the largest expansion.
    """

    field: str = "text"
    id: str | None = None
    split: Split = "line"
    separator: str | None = None
    given: str | None = None
    keep: tuple[str, ...] = ()
    delimiter: str | None = None
    quoting: Quoting | None = None
    encoding: str | None = None
    limits: Limits = DEFAULT

    @cached_property
    def needed(self) -> list[str]:
        """The fields that every row must have."""
        return [name for name in (self.field, self.id, self.given) if name is not None]

    @cached_property
    def columns(self) -> list[str]:
        """All fields that are read: the needed fields, then the kept fields."""
        return [*self.needed, *self.keep]

    @cached_property
    def options(self) -> dict[str, tuple[str, str]]:
        """For each field that is read, the argument of Python and the option of the command line that name the field."""
        kept = dict.fromkeys(self.keep, ("keep=…", "--keep, --label-field, --cluster"))
        by = {
            self.given: ("given=…", "--given-field"),
            self.id: ("id=…", "--id"),
            self.field: ("field=…", "--field"),
        }
        known = {**kept, **{name: how for name, how in by.items() if name is not None}}
        return {name: known[name] for name in self.columns}


# The outcome of reading a row: a document, a run of lines, a bad row, or None for a blank line.
RowOutcome = Row | LineRun | Fault | None


class NoDocument(Exception):
    """A row holds no document; the error has the reason, and the id and the kept fields where they are known."""

    id: str | None = None
    kept: tuple[object, ...] = ()

    def __init__(self, why: str, *advice: Advice) -> None:
        super().__init__(why)
        self.why, self.advice = why, advice

    def at(self, line: int) -> Fault:
        """Return the fault of the row at `line`."""
        return Fault(line, self.why, self.id, self.kept, self.advice)


def not_text(e: UnicodeDecodeError, where: str, encoding: str | None) -> tuple[str, *tuple[Advice, ...]]:
    """Say why bytes are no text, and what can be done.

    Args:
        e: The error of decoding.
        where: The thing within which the offset counts, such as "line".
        encoding: The encoding that the caller named, None for UTF-8.

    Returns:
        The reason, and advice if there is any.
    """
    byte = e.object[e.start]
    if encoding in (None, "utf-8"):
        place = f"byte 0x{byte:02X} at byte {e.start} of the {where}"
        if encoding:
            return (f"expected UTF-8, got {place}",)
        return f"expected UTF-8, got {place}{windows_1252_hint(byte)}", AS_WINDOWS
    # `as_utf8` made a stray byte of each byte that the encoding does not know: 0xFF where the byte was below 0x80.
    found = "bytes of no character" if byte == 0xFF else f"byte 0x{byte:02X}"
    other = Advice("name another encoding, or mend the bytes", "encoding=…", "--encoding")
    return f"expected {encoding}, got {found} in the {where}", other


# What to do about a byte that is no UTF-8: name the encoding that is most often meant.
AS_WINDOWS = Advice("say so if the file is in Windows-1252", "encoding='cp1252'", "--encoding cp1252")


def windows_1252_hint(byte: int) -> str:
    """Return the character of a byte in Windows-1252, in brackets; "" where the character cannot be shown."""
    meant = bytes([byte]).decode("cp1252", "ignore")
    return f" ({meant!r} in Windows-1252)" if meant and meant.isprintable() else ""
