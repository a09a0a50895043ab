"""A job as a value: which query of which model, over which documents, into which file."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pofx.corpus.writing import Target, target_of
from pofx.errors import PofxError
from pofx.jobs.documents import STDIN, Documents
from pofx.jobs.rows import Rows, plain_text
from pofx.lm.fingerprint import file_fingerprint, model_fingerprint
from pofx.lm.model import LM


@dataclass(frozen=True, eq=False)
class Job:
    """A query over documents, whose rows go into a file; `run` runs it, and goes on where an earlier run was stopped.

    Right: `for event in run(Job(lm, "my-model", Documents(("a.txt",)), ScoreRows(), "a.jsonl")): …`.
    Wrong: two jobs with one `out` at once; the second is refused.

    Attributes:
        lm: the model.
        name: of the model, as the caller calls it.
        documents: the input.
        rows: the query, and the rows that its answers become.
        out: the file to be written: .jsonl, .csv, .tsv (then .gz or .zst) or .parquet. The journal lies beside it.
        options: what else decides the numbers, by the name of its option; plain JSON.
        fresh: throw away what a stopped run left.
        overwrite: replace a file that is finished.
        spell: the words of an error in the rows; the command line has words of its own.
    """

    lm: LM
    name: str
    documents: Documents
    rows: Rows
    out: str
    options: Mapping[str, Any] = field(default_factory=dict)
    fresh: bool = False
    overwrite: bool = False
    spell: Callable[[PofxError], str] = str

    @property
    def target(self) -> Target:
        """The file to be written, by its ending; `BadSource` for an ending that names no format."""
        return target_of(self.out)

    @property
    def resumable(self) -> bool:
        """Whether the input can be read again; not so standard input and pipes."""
        return all(f != STDIN and stat.S_ISREG(os.stat(f).st_mode) for f in self.documents.files)

    def decides(self) -> dict[str, Any]:
        """All that decides the rows, by name: another run may go on only where every part is the same."""
        from pofx.version import __version__

        documents, again = self.documents, self.resumable
        return {
            "pofx": __version__,
            **model_fingerprint(self.lm, self.name),
            "--given": plain_text(documents.given),
            "--given-field": documents.given_field,
            "--keep": list(documents.keep),
            **documents.layout.decides,
            **self.rows.decides,
            **self.options,
            "inputs": list(documents.files),
            **{f"input {f}": file_fingerprint(f) if again else "read once" for f in documents.files},
        }


def check_out(out: str, rows: Rows) -> None:
    """Refuse what needs no model to be refused: an ending without a format, two columns of one name."""
    target_of(out)
    rows.columns({})
