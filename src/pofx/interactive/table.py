"""The tokens or words of records as a table of Arrow, which pandas, polars and DuckDB read without a copy in between.

pyarrow is imported when a table is made, not before.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pofx.errors import BadValue, require

Kind = Literal["int", "float", "text", "bytes", "bool"]


@dataclass(frozen=True)
class TableColumn:
    """A column of a table.

    Attributes:
        name: The name, as in the JSON of the record.
        kind: The type of the cells; a cell may also be None.
        cells: A list or an array of the cells, from the first row on.
    """

    name: str
    kind: Kind
    cells: Any


class HasTable(ABC):
    """A record with a table that has a row for each token, or for each word.

    A record has the method `__arrow_c_stream__` of the Arrow C interface, so `polars.DataFrame(record)`,
    `pyarrow.table(record)` and DuckDB read the record directly.
    """

    __slots__ = ()

    @abstractmethod
    def table_columns(self) -> list[TableColumn]:
        """Return the columns, all of one length."""

    def to_arrow(self) -> Any:
        """Return the table as a `pyarrow.Table`.

        Raises:
            MissingExtra: pyarrow is not installed.
        """
        return arrow_table(self.table_columns())

    def to_pandas(self) -> Any:
        """Return the table as a `pandas.DataFrame`.

        Raises:
            MissingExtra: pandas or pyarrow is not installed.
        """
        require("pandas", "pandas", "a table of pandas")
        return self.to_arrow().to_pandas()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the table as a capsule of the Arrow C interface."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)


def to_arrow(records: Sequence[HasTable]) -> Any:
    """Return the tables of several records as one `pyarrow.Table`, with the number of the record in column `document`.

    Args:
        records: A list of `Scored`, with a row for each token; or a list of `Worded`, with a row for each word. Records
            without a column of other records (`rank`) have nulls there.

    Returns:
        The table. Numbers of records begin at 0.

    Raises:
        BadValue: `records` is no list of records with a table, or has records of two types.
        MissingExtra: pyarrow is not installed.

    Right: `to_arrow(score(lm, texts))`. Wrong: `to_arrow(score(lm, texts)[0])`; one record has a method `to_arrow`.
    """
    some = list(records) if isinstance(records, Sequence) else []
    kinds = {type(r) for r in some}
    if len(kinds) != 1 or not all(isinstance(r, HasTable) for r in some):
        got = ", ".join(sorted(k.__name__ for k in kinds)) or type(records).__name__
        raise BadValue(
            f"expected a list of Scored, or a list of Worded, got {got}",
            "pass the list that score or words returns",
            argument="records",
        )
    pa = require("pyarrow", "data", "a table of Arrow")
    parts = []
    for n, record in enumerate(some):
        columns = record.table_columns()
        numbers = TableColumn("document", "int", [n] * len(columns[0].cells))
        parts.append(arrow_table([numbers, *columns]))
    return pa.concat_tables(parts, promote_options="default").combine_chunks()


def to_pandas(records: Sequence[HasTable]) -> Any:
    """Return the tables of several records as one `pandas.DataFrame`; see `to_arrow`.

    Args:
        records: A list of `Scored` or a list of `Worded`.

    Returns:
        The table, with the number of the record in column `document`.

    Raises:
        BadValue: As `to_arrow`.
        MissingExtra: pandas or pyarrow is not installed.

    Right: `to_pandas(words(lm, texts)).groupby("document").surprisal_bits.mean()`. Wrong: the mean over all rows, in which a
    long text counts for more.
    """
    require("pandas", "pandas", "a table of pandas")
    return to_arrow(records).to_pandas()


def arrow_table(columns: Sequence[TableColumn]) -> Any:
    """Return columns as a `pyarrow.Table`."""
    pa = require("pyarrow", "data", "a table of Arrow")
    types = {
        "int": pa.int64(),
        "float": pa.float64(),
        "text": pa.string(),
        "bytes": pa.binary(),
        "bool": pa.bool_(),
    }
    arrays = [pa.array(c.cells, type=types[c.kind]) for c in columns]
    return pa.Table.from_arrays(arrays, names=[c.name for c in columns])
