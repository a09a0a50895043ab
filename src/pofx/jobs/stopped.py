"""A job that was interrupted, as an error that says what was kept."""

from __future__ import annotations

from pathlib import Path

from pofx.errors import Advice, PofxError


class JobStopped(PofxError):
    """A job was interrupted (Ctrl-C); what it had done is kept.

    Attributes:
        rows: rows of the input that are kept; None where the file was made already.
        stretches: parts of the next text that are kept.
        rows_file: where the rows are kept.
        reads_file: where the parts of the next text are kept.
        resumable: whether the same job goes on from there; False for standard input and pipes.
    """

    code = "job-stopped"

    def __init__(
        self, rows: int | None, stretches: int, rows_file: Path, reads_file: Path, resumable: bool
    ) -> None:
        self.rows, self.stretches, self.resumable = rows, stretches, resumable
        self.rows_file, self.reads_file = rows_file, reads_file
        super().__init__(*_told(rows, stretches, rows_file, reads_file, resumable))


def _told(
    rows: int | None, stretches: int, rows_file: Path, reads_file: Path, resumable: bool
) -> tuple[str, Advice | None]:
    """What was kept, and how to go on."""
    from pofx.units import count_noun

    if rows is None:
        return "interrupted, when all was written", None
    if not (rows or stretches):
        return "interrupted before the first rows were scored", None
    kept = f"interrupted; {count_noun(rows, 'row')} {'is' if rows == 1 else 'are'} kept in {rows_file}"
    if stretches:
        kept = f"{kept}, {in_stretches(stretches)} of the next text in {reads_file}"
    if not resumable:
        return (
            f"{kept}; they cannot be resumed from standard input or a pipe",
            Advice(
                f"save the input to a file and name that file; move {rows_file} away first, if its rows are of use"
            ),
        )
    return kept, Advice("the same command goes on from there")


def in_stretches(n: int) -> str:
    """How many parts of a text, in words."""
    from pofx.units import count_noun

    return count_noun(n, "stretch", "stretches")
