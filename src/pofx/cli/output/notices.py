"""Notices of the input on standard error: bad rows, repeated ids, and texts that the model was fitted on."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from pofx.cli.spelling import in_shell
from pofx.jobs.events import BlankLines, Notice, RepeatedId, UncomparedIds

if TYPE_CHECKING:
    from pofx.corpus.bad_rows import BadRow
    from pofx.errors import PofxError

# At most this many kinds of bad rows are counted separately; a file with more kinds is no corpus.
KINDS = 100

SCORE = (
    "score texts that it has not seen (pofx fit --save-held-out), or each by a model without it (--cross-fit)"
)
EVALUATE = "evaluate on documents that it has not seen"


class BadRows:
    """The bad rows of an input; the first of each kind is printed on standard error, and the number of others at the end."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def saw(self, bad: BadRow) -> None:
        """Note a row that holds no document."""
        self.failed(f"{bad.source}:{bad.line}", bad.error)

    def failed(self, where: str, error: PofxError) -> None:
        """Note a row without a document or an answer; print its error if it is the first of its kind."""
        kind = error.subject.partition(", got ")[0]
        if kind not in self._counts and len(self._counts) == KINDS:
            kind = "errors of further kinds"
        self._counts[kind] += 1
        if self._counts[kind] == 1:
            self._first[kind] = where
            click.echo(f"pofx: warning: {where}: {in_shell(error)}", err=True)

    def rest(self) -> None:
        """Print the number of further rows of each kind."""
        for kind, n in self._counts.most_common():
            if n > 1:
                rows = "1 more row" if n == 2 else f"{n - 1:,} more rows"
                click.echo(f"pofx: warning: {rows} as in {self._first[kind]}: {kind}", err=True)


def left_out(bad: int, read: int, blank: int = 0) -> None:
    """Print how many bad rows and blank lines were left out, if any, and how many documents were read."""
    from pofx.units import count_noun

    if blank and read:  # without documents an error follows, which should stand alone
        click.echo(f"pofx: {count_noun(blank, 'blank line')} skipped", err=True)
    if bad:
        click.echo(
            f"pofx: warning: {count_noun(bad, 'bad row')} left out, {count_noun(read, 'document')} read",
            err=True,
        )


def print_notice(notice: Notice) -> None:
    """Print one notice."""
    match notice:
        case BlankLines(lines):
            left_out(0, 1, lines)
        case RepeatedId():
            click.echo(f"pofx: warning: {_repeated(notice)}", err=True)
        case UncomparedIds(most):
            click.echo(
                f"pofx: warning: ids were compared with the first {most:,} different ids only; sort the ids to find "
                "further repeated ids",
                err=True,
            )


def _repeated(notice: RepeatedId) -> str:
    shown = notice.id if len(notice.id) <= 80 else notice.id[:79] + "…"
    rows = "1 more row repeats" if notice.more == 1 else f"{notice.more:,} more rows repeat"
    more = f", and {rows} an id" if notice.more else ""
    return (
        f"id {shown!r} stands at {notice.first} and {notice.second}{more}; to tell rows apart, name a field that "
        "differs: --id"
    )


def print_fitted(fitted: int, chosen: int, n: int, advice: str = SCORE) -> None:
    """Print how many of n texts the model was fitted on, and how many chose its weights, if any."""
    if fitted:
        click.echo(
            f"pofx: warning: {_of(fitted, n)} that the model was fitted on, so the numbers flatter it; {advice}",
            err=True,
        )
    if chosen:
        click.echo(
            f"pofx: warning: {_of(chosen, n)} that the model's weights were chosen by (early stopping), so the numbers "
            "flatter it a little; keep texts aside that are no part of the fit",
            err=True,
        )


def _of(number: int, n: int) -> str:
    from pofx.units import count_noun

    return "the text is one" if n == 1 else f"{number:,} of {count_noun(n, 'text')} are ones"
