"""Bad rows on standard error: the first of each kind, and how many more there were."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from pofx.cli.spelling import in_shell

if TYPE_CHECKING:
    from pofx.corpus.documents import BadRow
    from pofx.errors import PofxError

# Kinds that are told apart; a file that has more is no corpus.
KINDS = 100


class BadRows:
    """What was told of the rows so far. Not a record: rows are told to it, one by one."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def saw(self, bad: BadRow) -> None:
        """A row that holds no document."""
        self.failed(f"{bad.source}:{bad.line}", bad.error)

    def failed(self, where: str, error: PofxError) -> None:
        """A row that has no document, or no answer, and why; it is told if it is the first of its kind."""
        kind = error.message.partition(", found ")[0]
        if kind not in self._counts and len(self._counts) == KINDS:
            kind = "errors of further kinds"
        self._counts[kind] += 1
        if self._counts[kind] == 1:
            self._first[kind] = where
            click.echo(f"pofx: warning: {where}: {in_shell(error)}", err=True)

    def rest(self) -> None:
        """How many more there were of each kind."""
        for kind, n in self._counts.most_common():
            if n > 1:
                rows = "1 more row" if n == 2 else f"{n - 1:,} more rows"
                click.echo(f"pofx: warning: {rows} as in {self._first[kind]}: {kind}", err=True)


def left_out(bad: int, read: int, blank: int = 0) -> None:
    """Say on standard error how many rows and blank lines were left out, if any, and how many documents were read."""
    from pofx.units import count_noun

    if blank and read:  # with nothing read, the refusal that follows stands alone
        click.echo(f"pofx: {count_noun(blank, 'blank line')} skipped", err=True)
    if bad:
        click.echo(
            f"pofx: warning: {count_noun(bad, 'bad row')} left out, {count_noun(read, 'document')} read",
            err=True,
        )
