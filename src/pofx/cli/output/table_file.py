"""A table that a verb writes as a file at its end, in one step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pofx.corpus.writing import Column


def write_table(
    columns: Sequence[Column],
    rows: Iterable[Mapping[str, Any]],
    out: str,
    about: Mapping[str, Any] | None = None,
    quiet: bool = False,
) -> None:
    """Write the file in one step, and name it on standard error.

    Args:
        columns: The columns.
        rows: The rows, each with a value for each column.
        out: The file, whose ending names the format.
        about: What a Parquet file tells about its numbers; None for nothing.
        quiet: Whether the file is not named on standard error.

    Raises:
        BadSource: The ending names no format.
        OSError: The place cannot be written.
    """
    from pofx.corpus.writing import encode_row, target_of, target_writer
    from pofx.files.atomic import replaced_file

    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = target_writer(target_of(out), columns, about or {})
    with TemporaryDirectory(prefix=".table-", dir=path.parent) as temporary:
        lines = Path(temporary, "lines")
        with lines.open("wb") as f:
            f.writelines(encode_row(row) for row in rows)
        made = lines if writer is None else Path(temporary, "made")
        if writer is not None:
            writer(lines, made)
        with replaced_file(path, made):
            pass
    if not quiet:
        click.echo(f"pofx: wrote {out}", err=True)
