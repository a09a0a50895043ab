"""The rows of one report a model, in one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pofx.cli.output.table_file import write_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pofx.interactive.table import HasTable


def write_reports(names: Sequence[str], reports: Sequence[HasTable], out: str) -> None:
    """Write the rows of all reports, each with the name of its model.

    Args:
        names: The name of the model of each report.
        reports: The reports.
        out: The file.
    """
    from pofx.corpus.writing import Column

    tables = [r.table_columns() for r in reports]
    columns = {"model": Column("model", "text")}
    for table in tables:
        columns |= {c.name: Column(c.name, c.kind) for c in table if c.kind != "bytes"}
    rows = (
        {"model": name, **{c.name: c.cells[k] for c in table}}
        for name, table in zip(names, tables)
        for k in range(len(table[0].cells))
    )
    write_table(list(columns.values()), (dict.fromkeys(columns) | row for row in rows), out)
