"""The first texts of files, which are kept for the page of --html while their lines are printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from pofx.corpus.documents import Document
    from pofx.report.html.page import Row

T = TypeVar("T")
# At most this many texts of files go into a page, since a page with more texts opens slowly.
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
        """Count a text, and keep the record of one of the first texts."""
        from pofx.report.html.page import Row

        self.n += 1
        if len(self.records) < TEXTS:
            self.records.append(record)
            self.rows.append(Row(item.id, dict(zip(self.keep, map(_shown, item.kept)))))

    @property
    def lead(self) -> str:
        """The line under the title of a page that leaves texts out; "" for a page with all texts."""
        left_out = self.n - len(self.records)
        return f"The first {len(self.records):,} of {self.n:,} texts." if left_out else ""


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
