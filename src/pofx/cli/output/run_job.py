"""The run of a job for FILES -o OUT, whose events are printed on standard error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import click

from pofx.cli.output.notices import print_fitted, print_notice
from pofx.jobs.events import (
    BlankLines,
    BlockEnd,
    BlockStart,
    Event,
    JobEnd,
    JobStart,
    OtherArithmetic,
    RepeatedId,
    UncomparedIds,
    UnresumableInput,
)

if TYPE_CHECKING:
    from pofx.cli.output.progress import SoFar
    from pofx.jobs.job import Job


# Between PyTorch's code for AVX2 and for no vectors, SmolLM2 differs by 6e-5 nats a token at most, and by 7e-6 on average.
_ROUNDING = {"float32": "by up to about 1e-4 nats a token"}


def run_job(job: Job, quiet: bool) -> None:
    """Run the job to its end; exit code 1 if a row has no score, 130 if interrupted."""
    from pofx.jobs.job import JobStopped
    from pofx.jobs.run import run

    ended: JobEnd | None = None
    with closing(run(job)) as events:
        try:
            ended = _followed(events, job, quiet)
        except KeyboardInterrupt as stop:
            # Ctrl-C came between two events, while the run waited. The run keeps its rows, and raises its own error.
            try:
                events.throw(stop)
            except JobStopped as e:
                _interrupted(e)
        except JobStopped as e:
            _interrupted(e)
    assert ended is not None  # noqa: S101  (ours)
    _tell_ended(job, ended, quiet)


def _followed(events: Iterator[Event], job: Job, quiet: bool) -> JobEnd | None:
    """Print the events, and return the last event."""
    from pofx.cli.output.progress import meter

    with ExitStack() as stack:
        so_far: SoFar | None = None
        for event in events:
            match event:
                case UnresumableInput():
                    if not quiet:
                        click.echo(
                            "pofx: standard input (or a pipe) cannot be read again: a run that is stopped cannot be "
                            "resumed",
                            err=True,
                        )
                case OtherArithmetic(differences, dtype):
                    _tell_arithmetic(differences, dtype)
                case JobStart():
                    if not quiet:
                        _tell_begun(event)
                    so_far = stack.enter_context(meter(job.documents.files, shown=not quiet))
                    so_far.begin(event.rows)
                case BlockStart(first, last) if so_far is not None:
                    so_far.read(first, last)
                case BlockEnd(last, tokens, rows) if so_far is not None:
                    so_far.moved(last, tokens, rows)
                case JobEnd():
                    return event
                case BlankLines() | RepeatedId() | UncomparedIds():
                    print_notice(event)
    return None


def summary(n: int, n_bytes: int, nats: float, prefix: bool) -> str:
    """Return the sum over all documents as one line."""
    from pofx.units import bits_per_byte, count_noun

    if not n:
        return "pofx: no document has a score"
    what = "log P (prefixes)" if prefix else "log p"
    mean = f", {nats / n:.4f} a document"
    rate = f", {bits_per_byte(-nats, n_bytes):.4f} bits per byte" if n_bytes else ""
    return f"pofx: {count_noun(n, 'document')}, {count_noun(n_bytes, 'byte')}: {what} = {nats:.2f} nats{mean}{rate}"


def _interrupted(stopped: Exception) -> None:
    click.echo(f"pofx: {stopped}", err=True)
    click.get_current_context().exit(130)


def _tell_begun(begun: JobStart) -> None:
    """Print what a stopped run left, if there was one."""
    from pofx.jobs.job import count_stretches
    from pofx.units import count_noun

    if begun.stretches:
        where = (
            f"{count_noun(begun.rows, 'row')} and {count_stretches(begun.stretches)} of the next text, which are kept in "
            f"{begun.reads_file}"
        )
        click.echo(f"pofx: going on after {where} (--fresh starts over)", err=True)
    elif begun.rows:
        click.echo(
            f"pofx: going on after {count_noun(begun.rows, 'row')} of {begun.rows_file} (--fresh starts over)",
            err=True,
        )
    elif begun.in_vain:
        click.echo(f"pofx: {begun.progress_file}: a stopped run left no row; starting over", err=True)


def _tell_arithmetic(differences: Sequence[str], dtype: str) -> None:
    much = next((text for name, text in _ROUNDING.items() if name in dtype), "in its last digits")
    click.echo(
        f"pofx: warning: rows were computed before under other arithmetic ({'; '.join(differences)}); log p "
        f"there and here may differ {much}; to compute all rows again: --fresh (--overwrite for a finished file)",
        err=True,
    )


def _tell_ended(job: Job, ended: JobEnd, quiet: bool) -> None:
    from pofx.cli.output.terms import line
    from pofx.queries.scoring.terms import terms
    from pofx.units import count_noun

    prefix = job.rows.prefix
    did = "nothing to do (--overwrite makes it again): this very run wrote" if ended.already else "wrote"
    if not quiet:
        click.echo(summary(ended.scored, ended.bytes, ended.nats, prefix), err=True)
        click.echo(f"pofx: {line(job.name, terms(job.lm, 0, 0, 0, end=not prefix))}", err=True)
        click.echo(f"pofx: {did} {ended.path}", err=True)
    print_fitted(ended.fitted, ended.chosen, ended.scored)
    failed = ended.rows - ended.scored
    if failed:
        click.echo(
            f"pofx: warning: {failed:,} of {count_noun(ended.rows, 'row')} without a score; the column 'error' says why",
            err=True,
        )
        click.get_current_context().exit(1)
