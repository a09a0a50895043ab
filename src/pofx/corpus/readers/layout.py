"""Where documents lie in a file, and what a reader meets there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pofx.errors import Advice
from pofx.files.limits import DEFAULT, Limits

Split = Literal["line", "file"]
# What a quote is in CSV and TSV: a character like any other, or the mark around a field that needs one.
Quoting = Literal["none", "minimal"]
# Text, and where the format has fields: the id, the prefix, and the fields that are kept; in a row behind its line.
Content = tuple[str, str | None, str | None, tuple[object, ...]]
Row = tuple[int, str, str | None, str | None, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that holds no document: its line, what was expected there and what was found, what can be done;
    the rest as in a `Row`."""

    line: int
    why: str
    id: str | None = None
    kept: tuple[object, ...] = ()
    advice: tuple[Advice, ...] = ()


@dataclass(frozen=True, slots=True)
class LineRun:
    """Many lines of text at once, the first of them at `line`; an empty one is a blank."""

    line: int
    texts: list[str]


@dataclass(frozen=True)
class DocumentLayout:
    """Where the documents stand in a file: `split` and `separator` for txt, the fields for the rest.

    delimiter, quoting: of CSV and TSV. encoding: of all but Parquet. None: what the format has, and doubts are told.
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
        """All fields that are read: those needed, then those kept."""
        return [*self.needed, *self.keep]


# What a reader meets: a document, a run of lines, a bad row, or a blank.
RowOutcome = Row | LineRun | Fault | None


class NoDocument(Exception):
    """Why a row holds no document; its id and kept fields where they are known all the same."""

    id: str | None = None
    kept: tuple[object, ...] = ()

    def __init__(self, why: str, *advice: Advice) -> None:
        super().__init__(why)
        self.why, self.advice = why, advice

    def at(self, line: int) -> Fault:
        """The fault of the row at `line`."""
        return Fault(line, self.why, self.id, self.kept, self.advice)


def not_text(e: UnicodeDecodeError, where: str, encoding: str | None) -> tuple[str, *tuple[Advice, ...]]:
    """Why bytes are no text, and what can be done; where: of what the offset counts. encoding: as the caller named it."""
    byte = e.object[e.start]
    if encoding in (None, "utf-8"):
        place = f"byte 0x{byte:02X} at byte {e.start} of the {where}"
        if encoding:
            return (f"expected UTF-8, found {place}",)
        return f"expected UTF-8, found {place}{windows_1252_hint(byte)}", AS_WINDOWS
    # What the encoding does not know was made a stray byte: 0xFF where it was none above 0x7F.
    found = "bytes that spell none" if byte == 0xFF else f"byte 0x{byte:02X}"
    other = Advice("name another encoding, or mend the bytes", "encoding=…", "--encoding")
    return f"expected {encoding}, found {found} in the {where}", other


# What to do about a byte that is no UTF-8: name the encoding that is most often meant.
AS_WINDOWS = Advice("say so if the file is in Windows-1252", "encoding='cp1252'", "--encoding cp1252")


def windows_1252_hint(byte: int) -> str:
    """What a byte that is no UTF-8 would be in Windows-1252, in brackets; "" where nothing can be shown."""
    meant = bytes([byte]).decode("cp1252", "ignore")
    return f" ({meant!r} in Windows-1252)" if meant and meant.isprintable() else ""
