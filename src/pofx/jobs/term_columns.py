"""The terms of a number as columns beside the number: the model, x0, the window rule, the dtype, the kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pofx.corpus.writing import Column
from pofx.jobs.row_query import Entry, RowQuery, check_names

if TYPE_CHECKING:
    from pofx.lm.model import LM
    from pofx.queries.scoring.stream import BlockSize, Query
    from pofx.queries.scoring.terms import Terms

COLUMNS = (
    Column("model", "text"),
    Column("begin", "text"),
    Column("begin_known", "text"),
    Column("first", "bool"),
    Column("window", "text"),
    Column("dtype", "text"),
    Column("kind", "text"),
    Column("boundary", "text"),
)


def term_cells(model: str, terms: Terms) -> dict[str, Any]:
    """Return the terms of a number as cells, by column name; a missing value is None.

    Args:
        model: The name of the model.
        terms: The terms. The cell of the window rule holds only the first clause.
    """
    without_x0 = terms.begin_known == "none"
    return {
        "model": model,
        "begin": None if without_x0 else terms.begin,
        "begin_known": None if without_x0 else terms.begin_known,
        "first": terms.first,
        "window": terms.window.partition(";")[0],
        "dtype": terms.dtype,
        "kind": terms.kind,
        "boundary": terms.boundary or None,
    }


@dataclass(frozen=True)
class WithTerms:
    """Another query, whose rows get the columns of `term_cells` that they lack, before the error.

    Attributes:
        rows: The other query.
        model: The name of the model.
    """

    rows: RowQuery
    model: str

    @property
    def keep(self) -> tuple[str, ...]:
        """Do as the other query does."""
        return self.rows.keep

    @property
    def prefix(self) -> bool:
        """Do as the other query does."""
        return self.rows.prefix

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the other query, and `--terms`."""
        return {**self.rows.settings, "--terms": True}

    def columns(self, kept: Mapping[str, Sequence[str]]) -> list[Column]:
        """Return the columns of the other query, and those of the terms before the last column.

        Raises:
            BadValue: A kept field has the name of a column of terms.
        """
        *own, error = self.rows.columns(kept)
        names = {c.name for c in own} - set(self.keep)
        return check_names(
            [*own, *(c for c in COLUMNS if c.name not in names), error],
            "a name that no column of terms has",
        )

    def block_size(self, lm: LM) -> BlockSize:
        """Do as the other query does."""
        return self.rows.block_size(lm)

    def bind(self, lm: LM) -> Query[Any]:
        """Do as the other query does."""
        return self.rows.bind(lm)

    def nats(self, result: Any) -> float:
        """Do as the other query does."""
        return self.rows.nats(result)

    def make_rows(self, entry: Entry, result: Any) -> Iterator[dict[str, Any]]:
        """Yield the rows of the other query, each with the terms of its text."""
        ours = (
            dict.fromkeys(c.name for c in COLUMNS)
            if isinstance(result, str)
            else term_cells(self.model, result.terms)
        )
        for row in self.rows.make_rows(entry, result):
            error = row.pop("error")
            yield {**row, **_missing(ours, row), "error": error}


def _missing(ours: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in ours.items() if name not in row}
