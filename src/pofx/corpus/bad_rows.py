"""Rows that hold no document: each has its place and the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pofx.errors import Advice, BadSource


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that holds no document, and the reason.

    Attributes:
        source: The path of the file; "stdin" for standard input.
        line: The line where the row begins, counted from 1.
        why: The reason: what was expected, and what pofx got.
        id: The id of the row where it is known, or else "path:line".
        kept: The values of the fields that `keep` named, as in `Document`.
        advice: What can be done about the row.
    """

    source: str
    line: int
    why: str
    id: str = field(default="", compare=False)
    kept: tuple[object, ...] = field(default=(), compare=False, repr=False)
    advice: tuple[Advice, ...] = field(default=(), compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.error}"

    @property
    def error(self) -> BadSource:
        """The reason and the advice, as the error that takes the place of the document."""
        return BadSource(self.why, self.advice)

    @property
    def kind(self) -> str:
        """The part of the reason before "got", which is equal for rows with the same mistake."""
        return self.why.partition(", got ")[0]


class BadRowWarning(UserWarning):
    """A row of a corpus was left out because it holds no document."""


Report = Callable[[BadRow], None]
