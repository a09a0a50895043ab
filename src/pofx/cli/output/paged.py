"""The first texts of files, kept while their lines are printed, for the page of --html."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from pofx.corpus.documents import Document
    from pofx.report.html.page import Row

T = TypeVar("T")
# Texts of files that go into a page: more make it slow to open.
TEXTS = 50


class Paged(Generic[T]):
    """The records of the first texts, and the id and kept fields of their rows.

    Args:
        keep: The names of the kept fields.
    """

    def __init__(self, keep: tuple[str, ...]) -> None:
        self.keep = keep
        self.records: list[T] = []
        self.rows: list[Row] = []
        self.n = 0

    def add(self, item: Document, record: T) -> None:
        """Count a text, and keep it if it is one of the first."""
        from pofx.report.html.page import Row

        self.n += 1
        if len(self.records) < TEXTS:
            self.records.append(record)
            self.rows.append(Row(item.id, dict(zip(self.keep, map(_shown, item.kept)))))

    @property
    def lead(self) -> str:
        """What the page says under its title where it leaves texts out."""
        left_out = self.n - len(self.records)
        return f"The first {len(self.records):,} of {self.n:,} texts." if left_out else ""


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
