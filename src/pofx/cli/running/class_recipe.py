"""The options of a job of a classifier, from which any process can make the job."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pofx.cli.options.arguments import Keeping
from pofx.cli.options.classify_input import prior_of
from pofx.cli.options.model import ModelOptions
from pofx.cli.spelling import shell_line

if TYPE_CHECKING:
    from pofx.classification.joint import Joint
    from pofx.classification.outliers import Rejection
    from pofx.jobs.class_rows import ClassRows
    from pofx.jobs.documents import Documents
    from pofx.jobs.job import Job


@dataclass(frozen=True)
class ClassRecipe:
    """A job of a classifier without its models; a call loads the models and makes the job.

    Attributes:
        directory: The directory of the classifier.
        options: The options of a model from outside; None where the classifier holds its models.
        prior: The prior as the user gave it; None for the classifier's own.
        documents: The input.
        keep: The fields of the input that the rows repeat.
        out: The file or the directory to be written.
        keeping: The options --fresh and --overwrite, which say whether earlier output may be lost.
        reject: The share of ordinary texts that may lose their label; None for no rejection.
        all_classes: Whether the rows hold the posterior of every class.
        with_terms: Whether the rows hold the terms of the numbers.
    """

    directory: str
    options: ModelOptions | None
    prior: str | None
    documents: Documents
    keep: tuple[str, ...]
    out: str
    keeping: Keeping
    reject: float | None
    all_classes: bool
    with_terms: bool

    def rows(self, joint: Joint, reference: Rejection | None) -> ClassRows:
        """Return the query of a classifier that is loaded already."""
        from pofx.jobs.class_rows import ClassRows

        return ClassRows(joint, reference, self.reject, self.all_classes, self.keep)

    def job(self, rows: ClassRows) -> Job:
        """Return the job of a classifier that is loaded already."""
        from pofx.jobs.job import Job
        from pofx.jobs.row_query import RowQuery
        from pofx.jobs.term_columns import WithTerms

        query: RowQuery = WithTerms(rows, self.directory) if self.with_terms else rows
        # The text that stands for a class is a prefix: a model without x0 is then asked nothing that it cannot know.
        given = "" if rows.joint.given is None else rows.joint.given[0]
        documents = dataclasses.replace(self.documents, given=given)
        decided = {"--budget": None if self.options is None else self.options.budget}
        fresh, overwrite = self.keeping.fresh, self.keeping.overwrite
        lm = rows.joint.lms[0]
        return Job(lm, self.directory, documents, query, self.out, decided, fresh, overwrite, shell_line)

    def __call__(self) -> Job:
        """Load the classifier without a notice on standard error, and return the job."""
        return self.job(self.rows(*load_classifier(self.directory, self.options, self.prior, shown=False)))


def load_classifier(
    directory: str, options: ModelOptions | None, prior: str | None, shown: bool = True
) -> tuple[Joint, Rejection | None]:
    """Return the classifier of a directory, and the log-probabilities of its held-out texts.

    Args:
        directory: The directory of the classifier.
        options: The options of the model that the classifier conditions; None where the classifier holds its models.
        prior: The prior as the user gave it; None for the classifier's own.
        shown: Whether the loading of the model shows its notices.

    Returns:
        The classifier, and the `Rejection`. The `Rejection` is None if no text was held out, or if `prior` is given.
        log p(x) depends on the prior, so log-probabilities of held-out texts under the old prior cannot be compared.

    Raises:
        BadSource: The directory holds no classifier, or is damaged.
        BadValue: The model is missing, not needed or another one, or the prior does not fit the labels.
    """
    from pofx.classification.files import load_joint

    joint, _, reference = load_joint(directory, None if options is None else options.load(shown=shown))
    return (joint, reference) if prior is None else (joint.with_prior(prior_of(prior)), None)
