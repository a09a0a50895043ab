"""The options of a job, from which any process can load the model and make the job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pofx.cli.options.arguments import Keeping
from pofx.cli.options.model import ModelOptions
from pofx.cli.spelling import shell_line

if TYPE_CHECKING:
    from pofx.jobs.documents import Documents
    from pofx.jobs.job import Job
    from pofx.jobs.row_query import RowQuery
    from pofx.lm.model import LM


def new_job(
    lm: LM,
    name: str,
    documents: Documents,
    rows: RowQuery,
    out: str,
    decided: Mapping[str, Any],
    keeping: Keeping,
) -> Job:
    """Return a job whose errors name the options of the command line; arguments as in `JobRecipe`."""
    from pofx.jobs.job import Job

    return Job(lm, name, documents, rows, out, decided, keeping.fresh, keeping.overwrite, shell_line)


@dataclass(frozen=True)
class JobRecipe:
    """A job without its model; a call loads the model and makes the job, in whatever process.

    Attributes:
        options: The options of the model.
        documents: The input.
        rows: The query, and the rows that its answers become.
        out: The file or the directory to be written.
        keeping: The options --fresh and --overwrite, which say whether earlier output may be lost.
        decided: Further settings that the numbers depend on, by the name of their option.
        unknown: How an ARPA model reads unknown words.
        deterministic: Whether each text is scored alone.
    """

    options: ModelOptions
    documents: Documents
    rows: RowQuery
    out: str
    keeping: Keeping
    decided: Mapping[str, Any]
    unknown: str = "refuse"
    deterministic: bool = False

    def job(self, lm: LM) -> Job:
        """Return the job of a model that is loaded already."""
        return new_job(lm, self.options.name, self.documents, self.rows, self.out, self.decided, self.keeping)

    def __call__(self) -> Job:
        """Load the model without a notice on standard error, and return the job."""
        lm = self.options.load(unknown=self.unknown, shown=False)
        if self.deterministic:
            from pofx.transforms.deterministic import deterministic

            lm = deterministic(lm)
        return self.job(lm)
