"""The rows of whole texts as columns, where no column needs the terms of a sum: no text has a record or a line of JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from pofx.corpus.documents import Document
from pofx.corpus.parquet_file import ParquetFile
from pofx.corpus.writing import GROUP_BYTES, GROUP_ROWS, Column, parquet_metadata
from pofx.errors import PofxError
from pofx.jobs.job import Job
from pofx.jobs.row_lines import Item
from pofx.jobs.score_rows import TERMS, ScoreRows, or_null
from pofx.lm.model import LM
from pofx.queries.scoring.stream import BlockSize, TextBlock
from pofx.queries.scoring.totals import Totals, has_totals, score_totals
from pofx.units import LN2

# The most texts and bytes of a block. The calls of numpy cost 0.3 ms a block of any size. 128 KiB are some 300 texts, and
# take 20 MB at 150 bytes a position.
TOTALS_SIZE = BlockSize(2048, 1 << 17)


def asks_for_totals(job: Job) -> bool:
    """Return whether all rows of a job are the id, the text and the totals of texts without a prefix.

    The result is also False for a model without `has_totals`.
    """
    rows, documents = job.rows, job.documents
    if not isinstance(rows, ScoreRows) or documents.given_field is not None or len(documents.given):
        return False
    plain = ScoreRows(prefix=rows.prefix, text=rows.text, boundary=rows.boundary)
    # The join "exact" makes bytes the terms of every text, of a text without a prefix, too.
    return rows == plain and rows.boundary in ("auto", "token", "error") and has_totals(job.lm)


@dataclass(frozen=True)
class TotalSums:
    """The sums over texts, as the state of a run has them.

    Attributes:
        nats: Log p of each text, nats; log P where the rows are prefixes, or the model has no EOS.
        tokens: The number of tokens. Where the model has EOS, each text has one more token, also as a prefix.
        bytes: The number of bytes.
        fitted: The number of texts that the model was fitted on.
        chosen: The number of texts that chose the weights of the model.
    """

    nats: Sequence[float]
    tokens: int
    bytes: int
    fitted: int
    chosen: int


@dataclass(frozen=True, eq=False)
class ScoredItems:
    """Documents that follow each other, and their totals.

    Attributes:
        items: The documents, in order.
        totals: Their totals.
    """

    items: Sequence[Document]
    totals: Totals


@dataclass(frozen=True, eq=False)
class RefusedItem:
    """An item without a score.

    Attributes:
        item: The document, or the bad row.
        error: The reason.
    """

    item: Item
    error: PofxError


def answer_totals(lm: LM, block: TextBlock[Item]) -> list[ScoredItems | RefusedItem]:
    """Answer the items of a block, in order; an error of one text concerns this text alone.

    After an error each half of the texts is tried again, so k faulty texts among n cost about k log n calls. A `PofxError`
    is not raised, and stands in the `RefusedItem` of its text.

    Args:
        lm: The model, for which `has_totals` holds.
        block: The block, whose texts have no prefix.

    Returns:
        Runs of documents with their totals, and the items without a score, in the order of the block.
    """
    out: list[ScoredItems | RefusedItem] = []
    held: list[Document] = []
    for item, question in zip(block.items, block.questions):
        if isinstance(item, Document) and not isinstance(question, PofxError):
            held.append(item)
            continue
        out += _answer_each(lm, held)
        held = []
        assert isinstance(question, PofxError)  # noqa: S101  (ours: a bad row has no question)
        out.append(RefusedItem(item, question))
    return out + _answer_each(lm, held)


def _answer_each(lm: LM, items: list[Document]) -> list[ScoredItems | RefusedItem]:
    if not items:
        return []
    try:
        return [ScoredItems(items, score_totals(lm, [d.text for d in items]))]
    except PofxError as e:
        if len(items) == 1:
            return [RefusedItem(items[0], e)]
    half = len(items) // 2
    return _answer_each(lm, items[:half]) + _answer_each(lm, items[half:])


def total_cells(rows: ScoreRows, run: ScoredItems) -> tuple[dict[str, Sequence[Any]], TotalSums]:
    """Return the columns of `ScoreRows` for some texts, and the sums over the texts.

    Args:
        rows: The query of a job for which `asks_for_totals` holds.
        run: The texts with their totals.

    Returns:
        The cells of each column by its name, a cell for each text: log p in nats, and null bits per byte for an empty text.
    """
    n, found = len(run.items), run.totals
    complete = None if rows.prefix else found.complete
    value = found.prefixes if complete is None else complete
    rules = replace(found.rules, end=complete is not None)
    sizes = found.bytes.tolist()
    with np.errstate(divide="ignore", invalid="ignore"):
        each_byte = (-value / (LN2 * found.bytes)).tolist()
    cells: dict[str, Sequence[Any]] = {"id": [d.id for d in run.items]}
    if rows.text:
        cells["text"] = [d.text for d in run.items]
    cells["total_nats"] = [None] * n if complete is None else complete.tolist()
    cells["prefix_nats"] = found.prefixes.tolist()
    cells["bits_per_byte"] = [b if size else None for b, size in zip(each_byte, sizes)]
    cells |= {name: [or_null(name, getattr(rules, name))] * n for name in TERMS}
    cells["tokens"], cells["bytes"] = found.tokens.tolist(), sizes
    if found.unknown.any():
        cells["kind"] = ["class" if u else rules.kind for u in found.unknown.tolist()]
    cells["error"] = [None] * n
    tokens = int(found.tokens.sum()) + n * (found.complete is not None)
    seen = int(found.fitted.sum()), int(found.chosen.sum())
    return cells, TotalSums(value.tolist(), tokens, sum(sizes), *seen)


class ColumnFile:
    """A Parquet file of columns, which is made with its first row group; without rows there is no file.

    The context of the file writes the last row group at its end. After an error in the context these rows are dropped.

    Args:
        path: The file.
        columns: The columns.
        metadata: The metadata of the file.
    """

    def __init__(self, path: Path, columns: Sequence[Column], metadata: Mapping[str, Any]) -> None:
        self._path, self._columns, self._metadata = path, columns, metadata
        self._held: dict[str, list[Any]] = {c.name: [] for c in columns}
        self._rows = self._bytes = 0
        self._stack = ExitStack()
        self._file: ParquetFile | None = None

    def add(self, cells: Mapping[str, Sequence[Any]], n: int, n_bytes: int) -> None:
        """Add `n` rows, of `n_bytes` bytes of text.

        A row group ends with the call that brings it to `GROUP_ROWS` rows or to `GROUP_BYTES` bytes of text. So equal calls
        make equal bytes.
        """
        for name, column in self._held.items():
            column.extend(cells[name])
        self._rows, self._bytes = self._rows + n, self._bytes + n_bytes
        if self._rows >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._write()

    def _write(self) -> None:
        if not self._rows:
            return
        if self._file is None:
            out = self._stack.enter_context(self._path.open("wb"))
            file = ParquetFile(out, self._columns, parquet_metadata(self._metadata))
            self._file = self._stack.enter_context(file)
        self._file.write(self._held)
        for column in self._held.values():
            column.clear()
        self._rows = self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if kind is None:
                self._write()
