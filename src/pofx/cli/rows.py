"""What a file of rows is made of, whatever the query: a verb says what its columns are, and how a text becomes rows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from pofx.errors import BadValue
from pofx.writing import Column, common_kind

if TYPE_CHECKING:
    from pofx.corpus import BadRow, Document
    from pofx.errors import PofxError
    from pofx.lm import LM
    from pofx.queries.stream import Ask


class Rows(Protocol):
    """Made by a verb out of its options, and read by `write_rows`."""

    @property
    def keep(self) -> tuple[str, ...]:
        """The fields of the input that are passed on."""

    @property
    def prefix(self) -> bool:
        """Whether texts need not end: log P is summed, not log p."""

    @property
    def decides(self) -> dict[str, Any]:
        """What decides the rows, by the name of its option."""

    def columns(self, kept: Mapping[str, Sequence[str]]) -> list[Column]:
        """In order. kept: the kinds of values that each kept column held."""

    def stream(
        self, lm: LM, items: Iterable[Document | BadRow], ask: Callable[[Document | BadRow], Ask]
    ) -> Iterator[list[tuple[Document | BadRow, Any | PofxError]]]:
        """The items in blocks, each with what was found of it: a record with `terms`."""

    def nats(self, found: Any) -> float:
        """Log p of a text, for the sum of all."""

    def of(
        self,
        id: str,
        kept: Sequence[Any],
        text: str | bytes | None,
        given: str | bytes | None,
        found: Any,
    ) -> Iterable[dict[str, Any]]:
        """The rows of one text; found: a record, or, as a string, why there is none."""


def head(id: str, keep: Sequence[str], kept: Sequence[Any]) -> dict[str, Any]:
    """What every row of a text begins with; a row of the input that could not be read has kept nothing."""
    return {"id": id, **dict(zip(keep, kept or [None] * len(keep)))}


def with_kept(keep: Sequence[str], kept: Mapping[str, Sequence[str]], ours: Sequence[Column]) -> list[Column]:
    """All columns: the id, the kept ones, ours, the error. `BadValue` where two have one name."""
    out = [
        Column("id", "text"),
        *(Column(name, common_kind(kept.get(name, []))) for name in keep),
        *ours,
        Column("error", "text"),
    ]
    names = [c.name for c in out]
    twice = next((name for name in keep if names.count(name) > 1), None)
    if twice is not None:
        raise BadValue(
            "--keep: expected each field once, and none of the names that the rows have anyway, found "
            f"{twice!r}",
            "rename that field in the input",
        )
    return out


def plain_text(text: str | bytes) -> str:
    """A text for a column of strings; bytes that are no UTF-8 as escapes."""
    return text if isinstance(text, str) else text.decode("utf-8", "backslashreplace")


def tabbed(row: Mapping[str, Any], columns: Sequence[Column]) -> str:
    """A row as one tab-separated line: strings as they are, nothing for None, anything else as JSON."""
    values = (row[c.name] for c in columns)
    cells = (v if isinstance(v, str) else "" if v is None else json.dumps(v) for v in values)
    # A word of a pattern, or a label, may hold tabs and line ends; -o writes them as they are.
    return "\t".join(re.sub(r"[\t\r\n]+", " ", cell) for cell in cells)
