"""A job as a value: a query of a model, the documents it is asked of, and the file that the rows go into."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pofx.corpus.source import can_be_read_again
from pofx.corpus.writing import Target, target_of
from pofx.errors import Advice, PofxError
from pofx.jobs.documents import Documents
from pofx.jobs.row_query import RowQuery
from pofx.lm.fingerprint import file_fingerprint, model_fingerprint
from pofx.lm.model import LM
from pofx.units import count_noun
from pofx.vocab.vocabulary import plain_text


@dataclass(frozen=True, eq=False)
class Job:
    """A query over documents, whose rows go into a file. `run` runs the job, and resumes a stopped run.

    Right: `for event in run(Job(lm, "my-model", Documents(("a.txt",)), ScoreRows(), "a.jsonl")): …`.
    Wrong: two jobs with one `out` at once; the second is refused.

    Attributes:
        lm: The model.
        name: The caller's name for the model.
        documents: The input.
        rows: The query, and the rows that its answers become.
        out: The file to be written: .jsonl, .csv, .tsv (then .gz or .zst) or .parquet. The journal lies beside it.
        options: Further settings that the numbers depend on, by the name of their option; plain JSON.
        fresh: Whether the rows of a stopped run are thrown away.
        overwrite: Whether a file that is finished is replaced.
        spell: The function that writes an error into a row. The command line names its options in the text.
    """

    lm: LM
    name: str
    documents: Documents
    rows: RowQuery
    out: str
    options: Mapping[str, Any] = field(default_factory=dict)
    fresh: bool = False
    overwrite: bool = False
    spell: Callable[[PofxError], str] = str

    @property
    def target(self) -> Target:
        """The file to be written, in the format that its ending names.

        Raises:
            BadSource: The ending names no format.
        """
        return target_of(self.out)

    @cached_property
    def resumable(self) -> bool:
        """Whether the input can be read again, unlike standard input and pipes. The system is asked once."""
        return all(can_be_read_again(f) for f in self.documents.files)

    def settings(self, inputs: bool = True) -> dict[str, Any]:
        """Return all settings that the rows depend on, by name. A stopped run is resumed only under equal settings.

        Args:
            inputs: Whether the names and the contents of the input files are among the settings.
        """
        from pofx.version import __version__

        documents = self.documents
        files = documents.files if inputs else ()
        return {
            "pofx": __version__,
            **model_fingerprint(self.lm, self.name),
            "--given": plain_text(documents.given),
            "--given-field": documents.given_field,
            "--keep": list(documents.keep),
            **documents.reading.settings,
            **self.rows.settings,
            **self.options,
            **({"inputs": list(files)} if inputs else {}),
            **{f"input {f}": file_fingerprint(f) if self.resumable else "read once" for f in files},
        }


class JobStopped(PofxError):
    """A job was interrupted (Ctrl-C); the rows that were answered are kept.

    Attributes:
        rows: The rows of the input that are kept; None where the file was made already.
        stretches: The kept stretches of the next text: parts that a model reads in a few seconds each.
        rows_file: The file that the rows are kept in.
        reads_file: The file that the stretches are kept in.
        resumable: Whether the same job goes on from the kept rows; False for standard input and pipes.
    """

    code = "job-stopped"

    def __init__(
        self, rows: int | None, stretches: int, rows_file: Path, reads_file: Path, resumable: bool
    ) -> None:
        self.rows, self.stretches, self.resumable = rows, stretches, resumable
        self.rows_file, self.reads_file = rows_file, reads_file
        super().__init__(*_stop_message(rows, stretches, rows_file, reads_file, resumable))


def _stop_message(
    rows: int | None, stretches: int, rows_file: Path, reads_file: Path, resumable: bool
) -> tuple[str, Advice | None]:
    if rows is None:
        return "interrupted after all rows were written", None
    if not (rows or stretches):
        return "interrupted before the first rows were scored", None
    kept = f"interrupted; {count_noun(rows, 'row')} {'is' if rows == 1 else 'are'} kept in {rows_file}"
    if stretches:
        kept = f"{kept}, {count_stretches(stretches)} of the next text in {reads_file}"
    if not resumable:
        return (
            f"{kept}; a run over standard input or a pipe cannot be resumed",
            Advice(
                f"save the input to a file and name that file; first move {rows_file} away to keep its rows"
            ),
        )
    return kept, Advice("the same command goes on from there")


def count_stretches(n: int) -> str:
    """Return the number of stretches of a text, in words."""
    return count_noun(n, "stretch", "stretches")


def check_out(out: str, rows: RowQuery) -> None:
    """Refuse an output file before a model is loaded.

    Raises:
        BadSource: The ending of `out` names no format.
        BadValue: Two columns would have the same name.
    """
    target_of(out)
    rows.columns({})
