"""The options of a filter over a corpus, from which any process can make the job of the first pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pofx.cli.options.arguments import Keeping
from pofx.cli.spelling import shell_line

if TYPE_CHECKING:
    from pofx.filtering.copies.signature import Dedupe
    from pofx.jobs.documents import Documents
    from pofx.jobs.job import Job


@dataclass(frozen=True)
class FilterRecipe:
    """The first pass of a filter, without its models; a call loads the models and makes the job.

    Attributes:
        directory: The directory of the filter.
        documents: The input.
        keep: The fields of the input that the rows repeat.
        out: The directory of the first pass.
        keeping: The options --fresh and --overwrite, which say whether earlier output may be lost.
        dedupe: Which copies are to be found.
        drop: As in `FilterRows`.
    """

    directory: str
    documents: Documents
    keep: tuple[str, ...]
    out: str
    keeping: Keeping
    dedupe: Dedupe
    drop: tuple[str, ...]

    def __call__(self) -> Job:
        """Load the filter, and return the job."""
        from pofx.filtering.files import filter_fingerprint, load_filter
        from pofx.jobs.filter_rows import FilterRows
        from pofx.jobs.job import Job

        quality = load_filter(self.directory)
        rows = FilterRows(quality, filter_fingerprint(self.directory), self.dedupe, self.drop, self.keep)
        fresh, overwrite = self.keeping.fresh, self.keeping.overwrite
        lm = quality.router.lms[0]
        return Job(lm, self.directory, self.documents, rows, self.out, {}, fresh, overwrite, shell_line)
