"""The file of `pofx corpus -o`: a row a document, with its copies."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pofx.queries.corpus_audit.record import CorpusFlags


def write_flags(flags: CorpusFlags, out: str) -> None:
    """Write the file in one step, and name it on standard error.

    Args:
        flags: What was found about each document.
        out: The file, whose ending names the format.

    Raises:
        BadSource: The ending names no format.
        OSError: The place cannot be written.
    """
    from pofx.corpus.writing import Column, encode_row, target_of, target_writer
    from pofx.files.atomic import replaced_file

    columns = (
        Column("id", "text"),
        Column("held_out", "bool"),
        Column("copy_of", "text"),
        Column("near_copy_of", "text"),
        Column("begins_midway", "bool"),
    )
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = target_writer(target_of(out), columns, {})
    with TemporaryDirectory(prefix=".flags-", dir=path.parent) as temporary:
        lines = Path(temporary, "lines")
        with lines.open("wb") as f:
            f.writelines(encode_row(row) for row in flags.rows())
        made = lines if writer is None else Path(temporary, "made")
        if writer is not None:
            writer(lines, made)
        with replaced_file(path, made):
            pass
    click.echo(f"pofx: wrote {out}", err=True)
