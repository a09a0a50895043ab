"""A Parquet file of known columns, which is written a row group at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from pofx.corpus.arrow_columns import arrow_column, arrow_schema
from pofx.errors import require

if TYPE_CHECKING:
    from pofx.corpus.writing import Column


class ParquetFile:
    """A Parquet file that is being written.

    Args:
        out: The open file.
        columns: The columns.
        metadata: The text under the key "pofx" of the file's metadata.
    """

    def __init__(self, out: BinaryIO, columns: Sequence[Column], metadata: str) -> None:
        arrow = require("pyarrow", "data", "writing Parquet")
        parquet = require("pyarrow.parquet", "data", "writing Parquet")
        self._table_of = arrow.Table.from_arrays
        self._schema = arrow_schema(columns, metadata)
        self._writer = parquet.ParquetWriter(out, self._schema, compression="zstd")

    def write(self, cells: Mapping[str, Sequence[Any]]) -> None:
        """Write a row group.

        Args:
            cells: The cells of each column, by its name, in the types of Arrow; as many in each column.
        """
        arrays = [arrow_column(cells[field.name], field.type) for field in self._schema]
        self._writer.write_table(
            self._table_of(arrays, schema=self._schema), row_group_size=max(1, len(arrays[0]))
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
