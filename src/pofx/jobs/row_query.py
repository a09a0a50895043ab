"""The query of a job as a protocol: how texts are answered, and which rows and columns an answer becomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pofx.corpus.writing import Column, common_kind
from pofx.errors import Argument, BadValue

if TYPE_CHECKING:
    from pofx.lm.model import LM
    from pofx.queries.scoring.stream import BlockSize, Query


@dataclass(frozen=True)
class Entry:
    """The parts of a text of the input that its rows repeat.

    Attributes:
        id: The id of the text.
        kept: The values of the kept fields; () where the row of the input could not be read.
        text: The text; None where the input could not be read, or the rows do not repeat the text.
        given: The prefix of the text; None where the input could not be read, or the rows do not repeat the prefix.
    """

    id: str
    kept: Sequence[Any] = ()
    text: str | bytes | None = None
    given: str | bytes | None = None


class RowQuery(Protocol):
    """A query whose answers become rows of a file.

    `ScoreRows`, `WordRows` and `ClassRows` are such queries; `WithTerms` adds columns to any of them.
    """

    @property
    def keep(self) -> tuple[str, ...]:
        """The fields of the input that the rows repeat."""

    @property
    def prefix(self) -> bool:
        """Whether texts are prefixes: the job then sums log P, not log p."""

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that the rows depend on, by the name of their option; plain JSON."""

    def columns(self, kept: Mapping[str, Sequence[str]]) -> list[Column]:
        """Return all columns of the file, left to right.

        Args:
            kept: For each kept field, the kinds of its values.

        Raises:
            BadValue: Two columns have the same name.
        """

    def block_size(self, lm: LM) -> BlockSize:
        """Return the most texts and bytes that are answered together. The size depends on the model and the query alone."""

    def bind(self, lm: LM) -> Query[Any]:
        """Return the query of this model: a function of texts and prefixes that gives a record with `terms` a text."""

    def nats(self, result: Any) -> float:
        """Return the term of one text in the sum over all texts: log p, or log P of a prefix; nats."""

    def make_rows(self, entry: Entry, result: Any) -> Iterable[dict[str, Any]]:
        """Yield the rows of one text.

        Args:
            entry: The text.
            result: The record of the text, or an error message where there is no record.
        """


def row_head(entry: Entry, keep: Sequence[str]) -> dict[str, Any]:
    """Return the first cells of every row of a text: the id and the kept fields.

    Args:
        entry: The text. Where its row could not be read, the kept fields are None.
        keep: The names of the kept fields.
    """
    return {"id": entry.id, **dict(zip(keep, entry.kept or [None] * len(keep)))}


def add_kept_columns(
    keep: Sequence[str], kept: Mapping[str, Sequence[str]], ours: Sequence[Column]
) -> list[Column]:
    """Return all columns of a file: the id, the kept fields, the query's own columns, and the error.

    Args:
        keep: The names of the kept fields.
        kept: For each kept field, the kinds of its values.
        ours: The query's own columns.

    Raises:
        BadValue: Two columns have the same name.
    """
    out = [
        Column("id", "text"),
        *(Column(name, common_kind(kept.get(name, []))) for name in keep),
        *ours,
        Column("error", "text"),
    ]
    return check_names(out, "each field once, and no name of another column")


def check_names(columns: list[Column], expected: str) -> list[Column]:
    """Return the columns themselves, if their names differ. Only a kept field can share its name with another column.

    Args:
        columns: The columns.
        expected: The noun after "expected" in the message.

    Raises:
        BadValue: Two columns have the same name.
    """
    names = [c.name for c in columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadValue(
            f"expected {expected}, got {twice!r}",
            "rename the field in the input",
            Argument("keep", "--keep"),
        )
    return columns
