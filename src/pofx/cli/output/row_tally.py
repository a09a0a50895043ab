"""The sums over the rows that a verb prints without -o: the numbers of answers and of errors, and log p of all texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from pofx.cli.output.notices import BadRows, print_fitted

if TYPE_CHECKING:
    from pofx.corpus.bad_rows import BadRow
    from pofx.corpus.documents import Document
    from pofx.errors import PofxError
    from pofx.jobs.documents import Documents
    from pofx.queries.scoring.terms import Terms


@dataclass
class RowTally:
    """Counts that grow row by row; `rest` prints the totals.

    Attributes:
        n: The rows with an answer.
        failed: The rows without an answer.
        bytes: The bytes of all texts with an answer.
        nats: The sum of log p over the rows with an answer, nats.
    """

    n: int = 0
    failed: int = 0
    bytes: int = 0
    nats: float = 0.0
    _fitted: int = 0
    _chosen: int = 0
    _told: BadRows = field(default_factory=BadRows)

    def add(self, terms: Terms, nats: float) -> None:
        """Count a row with an answer."""
        self.n, self.bytes, self.nats = self.n + 1, self.bytes + terms.bytes, self.nats + nats
        self._fitted, self._chosen = self._fitted + terms.fitted, self._chosen + terms.chosen

    def fail(self, item: Document | BadRow, error: PofxError) -> None:
        """Count a row without an answer; the first error of each kind is printed on standard error."""
        self.failed += 1
        self._told.failed(f"{item.source}:{item.line}", error)

    def rest(self, asked: Documents, lacking: str) -> None:
        """Print how many rows lack an answer (`lacking`, such as "score"); raise an error for an input without rows."""
        from pofx.units import count_noun

        self._told.rest()
        if not self.n and not self.failed:
            raise asked.no_rows_error()
        if self.failed:
            rows = count_noun(self.n + self.failed, "row")
            click.echo(f"pofx: warning: {self.failed:,} of {rows} without a {lacking}", err=True)

    def warn_of_fitted(self) -> None:
        """Warn of texts that the model was fitted on or chosen by."""
        print_fitted(self._fitted, self._chosen, self.n)
