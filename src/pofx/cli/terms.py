"""What a number is of, beside the number: one line under a table, and columns of rows with --terms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from pofx.writing import Column

if TYPE_CHECKING:
    from pofx.cli.rows import Rows
    from pofx.corpus import BadRow, Document
    from pofx.errors import PofxError
    from pofx.lm import LM
    from pofx.queries.stream import Ask
    from pofx.queries.terms import Terms

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

terms_option = click.option(
    "--terms",
    "with_terms",
    is_flag=True,
    help="-o: also columns of what is alike in all rows: model, x0, window, dtype, kind.",
)


def line(model: str, terms: Terms) -> str:
    """The model and what all its numbers have in common."""
    from pofx.report.visible import visible

    return f"{visible(model)}: {visible(terms.common)}"


def print_line(model: str, terms: Terms) -> None:
    """The line under a table, no wider than the terminal."""
    from rich.console import Console
    from rich.text import Text

    Console(highlight=False).print(Text(line(model, terms)))


def cells(model: str, terms: Terms) -> dict[str, Any]:
    """The same as cells; what there is none of is None. The window rule up to its first clause."""
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
    """Rows of a verb with the columns of `cells` that they have not anyway, before the error."""

    rows: Rows
    model: str

    @property
    def keep(self) -> tuple[str, ...]:
        """As the verb's."""
        return self.rows.keep

    @property
    def prefix(self) -> bool:
        """As the verb's."""
        return self.rows.prefix

    @property
    def decides(self) -> dict[str, Any]:
        """The option itself, too."""
        return {**self.rows.decides, "--terms": True}

    def columns(self, kept: Mapping[str, Sequence[str]]) -> list[Column]:
        """The verb's, with ours before the last. `BadValue` where a kept field has the name of one."""
        *own, error = self.rows.columns(kept)
        names = {c.name for c in own} - set(self.keep)
        return _distinct([*own, *(c for c in COLUMNS if c.name not in names), error])

    def stream(
        self, lm: LM, items: Iterable[Document | BadRow], ask: Callable[[Document | BadRow], Ask]
    ) -> Iterator[list[tuple[Document | BadRow, Any | PofxError]]]:
        """As the verb's."""
        return self.rows.stream(lm, items, ask)

    def nats(self, found: Any) -> float:
        """As the verb's."""
        return self.rows.nats(found)

    def of(
        self,
        id: str,
        kept: Sequence[Any],
        text: str | bytes | None,
        given: str | bytes | None,
        found: Any,
    ) -> Iterator[dict[str, Any]]:
        """The verb's rows, and in each the terms of its text."""
        ours = (
            dict.fromkeys(c.name for c in COLUMNS)
            if isinstance(found, str)
            else cells(self.model, found.terms)
        )
        for row in self.rows.of(id, kept, text, given, found):
            error = row.pop("error")
            yield {**row, **_new(ours, row), "error": error}


def _new(ours: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in ours.items() if name not in row}


def _distinct(columns: list[Column]) -> list[Column]:
    from pofx.errors import BadValue

    names = [c.name for c in columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadValue(
            f"--keep: expected none of the names that --terms adds, found {twice!r}",
            "rename that field in the input",
        )
    return columns
