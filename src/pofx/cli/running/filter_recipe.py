"""The options of a filter over a corpus, from which any process can make the job of the first pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pofx.cli.options.arguments import Keeping
from pofx.cli.running.job_recipe import new_job

if TYPE_CHECKING:
    from pofx.filtering.copies.signature import Dedupe
    from pofx.jobs.documents import Documents
    from pofx.jobs.filter_rows import FilterRows
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

    def rows(self) -> FilterRows:
        """Load the filter, and return the query of the first pass."""
        from pofx.filtering.files import filter_fingerprint, load_filter
        from pofx.jobs.filter_rows import FilterRows

        quality = load_filter(self.directory)
        return FilterRows(quality, filter_fingerprint(self.directory), self.dedupe, self.drop, self.keep)

    def job(self, rows: FilterRows) -> Job:
        """Return the job of a filter that is loaded already."""
        lm = rows.quality.router.lms[0]
        return new_job(lm, self.directory, self.documents, rows, self.out, {}, self.keeping)

    def __call__(self) -> Job:
        """Load the filter, and return the job."""
        return self.job(self.rows())
