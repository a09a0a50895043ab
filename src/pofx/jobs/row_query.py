"""What a job writes of each text, whatever the query: which columns there are, and how an answer becomes rows."""

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
    """One text of the input, as its rows tell of it.

    Attributes:
        id: what names the text.
        kept: the values of the fields that are passed on; () where the row of the input could not be read.
        text: the text; None where there is no row, or the rows need not show the text.
        given: the prefix of the text; None likewise.
    """

    id: str
    kept: Sequence[Any] = ()
    text: str | bytes | None = None
    given: str | bytes | None = None


class RowQuery(Protocol):
    """The query of a job, and the rows that its answers become."""

    @property
    def keep(self) -> tuple[str, ...]:
        """The fields of the input that are passed on."""

    @property
    def prefix(self) -> bool:
        """Whether texts need not end: log P is summed, not log p."""

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the rows, by the name of its option."""

    def columns(self, kept: Mapping[str, Sequence[str]]) -> list[Column]:
        """All columns of the file, left to right. kept: for each kept field, the kinds of its values."""

    def block_size(self, lm: LM) -> BlockSize:
        """How much of the input is answered together, by the model and the query alone."""

    def bind(self, lm: LM) -> Query[Any]:
        """What answers texts behind prefixes: a record with `terms` for each text."""

    def nats(self, found: Any) -> float:
        """Log p of a text, for the sum of all."""

    def make_rows(self, entry: Entry, found: Any) -> Iterable[dict[str, Any]]:
        """The rows of one text; found: a record, or, as a string, why there is none."""


def row_head(entry: Entry, keep: Sequence[str]) -> dict[str, Any]:
    """What every row of a text begins with; a row of the input that could not be read has kept nothing."""
    return {"id": entry.id, **dict(zip(keep, entry.kept or [None] * len(keep)))}


def add_kept_columns(
    keep: Sequence[str], kept: Mapping[str, Sequence[str]], ours: Sequence[Column]
) -> list[Column]:
    """All columns: the id, the kept ones, ours, the error. `BadValue` where two have one name."""
    out = [
        Column("id", "text"),
        *(Column(name, common_kind(kept.get(name, []))) for name in keep),
        *ours,
        Column("error", "text"),
    ]
    return check_names(out, "each field once, and none of the names that the rows have anyway")


def check_names(columns: list[Column], expected: str) -> list[Column]:
    """The columns; `BadValue` where two have one name, which only a kept field can share with another."""
    names = [c.name for c in columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadValue(
            f"expected {expected}, found {twice!r}",
            "rename that field in the input",
            Argument("keep", "--keep"),
        )
    return columns


def plain_text(text: str | bytes) -> str:
    """A text for a column of strings; bytes that are no UTF-8 as escapes."""
    return text if isinstance(text, str) else text.decode("utf-8", "backslashreplace")
