"""A file of Arrow (also called Feather) with known columns, which is written a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from pofx.corpus.arrow_columns import arrow_column, arrow_schema
from pofx.errors import require

if TYPE_CHECKING:
    from pofx.corpus.writing import Column


class ArrowFile:
    """A file of Arrow that is being written.

    Args:
        out: The open file.
        columns: The columns.
        metadata: The text under the key "pofx" of the file's metadata.
    """

    def __init__(self, out: BinaryIO, columns: Sequence[Column], metadata: str) -> None:
        arrow = require("pyarrow", "data", "writing .arrow")
        self._batch_of = arrow.RecordBatch.from_arrays
        self._schema = arrow_schema(columns, metadata)
        self._writer = arrow.ipc.new_file(out, self._schema)

    def write(self, cells: Mapping[str, Sequence[Any]]) -> None:
        """Write a batch.

        Args:
            cells: The cells of each column, by its name, in the types of Arrow; as many in each column.
        """
        arrays = [arrow_column(cells[field.name], field.type) for field in self._schema]
        self._writer.write_batch(self._batch_of(arrays, schema=self._schema))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
