"""Where documents lie in a file, and what a reader meets there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Split = Literal["line", "file"]
# Text, and where the format has fields: the id, the prefix, and the fields that are kept; in a row behind its line.
Content = tuple[str, str | None, str | None, tuple[object, ...]]
Row = tuple[int, str, str | None, str | None, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that holds no document: its line, what was expected there and what was found; the rest as in a `Row`."""

    line: int
    why: str
    id: str | None = None
    kept: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """Many lines of text at once, the first of them at `line`; an empty one is a blank."""

    line: int
    texts: list[str]


@dataclass(frozen=True)
class Layout:
    """Where the documents stand in a file: `split` and `separator` for txt, the fields for the rest."""

    field: str = "text"
    id: str | None = None
    split: Split = "line"
    separator: str | None = None
    given: str | None = None
    keep: tuple[str, ...] = ()

    @cached_property
    def needed(self) -> list[str]:
        """The fields that every row must have."""
        return [name for name in (self.field, self.id, self.given) if name is not None]

    @cached_property
    def columns(self) -> list[str]:
        """All fields that are read: those needed, then those kept."""
        return [*self.needed, *self.keep]


# What a reader meets: a document, a run of lines, a bad row, or a blank.
Found = Row | Run | Fault | None


class NotHere(Exception):
    """Why a row holds no document; its id and kept fields where they are known all the same."""

    id: str | None = None
    kept: tuple[object, ...] = ()

    def at(self, line: int) -> Fault:
        """The fault of the row at `line`."""
        return Fault(line, str(self), self.id, self.kept)


def not_utf8(e: UnicodeDecodeError, where: str) -> str:
    """Why bytes are no text; where: of what the offset counts."""
    return f"expected UTF-8, found byte 0x{e.object[e.start]:02X} at byte {e.start} of the {where}"
