"""What a number is of, in columns beside the number: the model, x0, the window rule, the dtype, the kind."""

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
    """The terms as cells, by column name; a missing value is None. Of the window rule only the first clause is told."""
    none = terms.begin_known == "none"
    return {
        "model": model,
        "begin": None if none else terms.begin,
        "begin_known": None if none else terms.begin_known,
        "first": terms.first,
        "window": terms.window.partition(";")[0],
        "dtype": terms.dtype,
        "kind": terms.kind,
        "boundary": terms.boundary or None,
    }


@dataclass(frozen=True)
class WithTerms:
    """Other rows, with the columns of `term_cells` that those lack, before the error."""

    rows: RowQuery
    model: str

    @property
    def keep(self) -> tuple[str, ...]:
        """As the other rows'."""
        return self.rows.keep

    @property
    def prefix(self) -> bool:
        """As the other rows'."""
        return self.rows.prefix

    @property
    def settings(self) -> dict[str, Any]:
        """The option itself, too."""
        return {**self.rows.settings, "--terms": True}

    def columns(self, kept: Mapping[str, Sequence[str]]) -> list[Column]:
        """The other rows', with those of the terms before the last. `BadValue` where a kept field has the name of one."""
        *own, error = self.rows.columns(kept)
        names = {c.name for c in own} - set(self.keep)
        return check_names(
            [*own, *(c for c in COLUMNS if c.name not in names), error],
            "none of the names that the columns of terms have",
        )

    def block_size(self, lm: LM) -> BlockSize:
        """As the other rows'."""
        return self.rows.block_size(lm)

    def bind(self, lm: LM) -> Query[Any]:
        """As the other rows'."""
        return self.rows.bind(lm)

    def nats(self, found: Any) -> float:
        """As the other rows'."""
        return self.rows.nats(found)

    def make_rows(self, entry: Entry, found: Any) -> Iterator[dict[str, Any]]:
        """The other rows, and in each the terms of its text."""
        ours = (
            dict.fromkeys(c.name for c in COLUMNS)
            if isinstance(found, str)
            else term_cells(self.model, found.terms)
        )
        for row in self.rows.make_rows(entry, found):
            error = row.pop("error")
            yield {**row, **_new(ours, row), "error": error}


def _new(ours: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in ours.items() if name not in row}
