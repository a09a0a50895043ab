"""The running of FILES -o OUT: one file of rows by this process, or a directory of parts by workers."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from pofx.cli.options.sharding import Sharding, is_directory

if TYPE_CHECKING:
    from pofx.jobs.job import Job
    from pofx.jobs.row_query import RowQuery
    from pofx.jobs.sharded.running import ShardsEnd


def check_rows_out(out: str, rows: RowQuery, sharding: Sharding) -> None:
    """Refuse an output before a model is loaded; workers of a directory begin to import meanwhile.

    Raises:
        BadSource: The ending of a file names no format.
        BadValue: Two columns would have the same name.
        BadSource: A store cannot be reached, or refuses.
        MissingExtra: pyarrow is missing for a directory of parts, or the package of a store.
    """
    from pofx.errors import require
    from pofx.files.folders.opening import open_folder
    from pofx.jobs.job import check_out

    if is_directory(out):
        require("pyarrow", "data", "writing Parquet")
        rows.columns({})
        open_folder(out).check()
        if sharding.ray is None and sharding.processes > 1:
            from pofx.jobs.sharded.nursery import worker_context

            worker_context("pofx.cli.main", "pofx.cli.running.job_recipe")
    else:
        check_out(out, rows)


def run_rows(job: Job, make: Callable[[], Job], sharding: Sharding, quiet: bool) -> None:
    """Run a job to its end. The exit code is 1 if a row has no score or a unit failed, and 130 after Ctrl-C.

    Args:
        job: The job, with its model.
        make: A function that makes the same job in a worker; `pickle` must accept it.
        sharding: How the units of a directory are made and done.
        quiet: Whether nothing but warnings is printed.

    Raises:
        TooManyErrors: More rows have no score than `sharding` allows.
        BadSource: The input or the output directory is not that of this job.
    """
    from pofx.cli.output.run_job import run_job

    if not is_directory(job.out):
        run_job(job, quiet)
        return
    ended = _followed(job, make, sharding, quiet)
    _tell_ended(job, ended, quiet)


def _followed(job: Job, make: Callable[[], Job], sharding: Sharding, quiet: bool) -> ShardsEnd:
    """Run the units, and show how many are done."""
    from pofx.cli.output.unit_meter import unit_meter
    from pofx.jobs.sharded.running import ShardedJob, run_sharded
    from pofx.jobs.sharded.sizing import unit_bytes

    def size() -> int:
        return sharding.unit_bytes or unit_bytes(job, sharding.processes)

    sharded = ShardedJob(
        make,
        job.out,
        sharding.wanted,
        size,
        sharding.max_error_rate,
        job.fresh or job.overwrite,
        sharding.ray,
    )
    run = run_sharded(job, sharded)
    with unit_meter(not quiet) as meter:
        try:
            while True:
                meter.note(next(run))
        except StopIteration as stop:
            ended: ShardsEnd = stop.value
            return ended
        except KeyboardInterrupt:
            run.close()
            click.echo(
                f"pofx: interrupted; the units that are done are kept in {job.out}; the same command goes on from there",
                err=True,
            )
            click.get_current_context().exit(130)


def _tell_ended(job: Job, ended: ShardsEnd, quiet: bool) -> None:
    from pofx.cli.output.notices import print_fitted
    from pofx.cli.output.run_job import summary
    from pofx.cli.output.terms import line
    from pofx.queries.scoring.terms import terms
    from pofx.units import count_noun

    totals, prefix = ended.totals, job.rows.prefix
    if not quiet:
        click.echo(summary(totals.scored, totals.bytes, totals.nats, prefix), err=True)
        click.echo(f"pofx: {line(job.name, terms(job.lm, 0, 0, 0, end=not prefix))}", err=True)
        click.echo(f"pofx: wrote {count_noun(totals.units, 'part')} in {job.out}", err=True)
    print_fitted(totals.fitted, totals.chosen, totals.scored)
    for failed in ended.failed:
        click.echo(f"pofx: warning: unit {failed.unit.name} ({failed.unit.path}): {failed.error}", err=True)
    if totals.errors:
        click.echo(
            f"pofx: warning: {totals.errors:,} of {count_noun(totals.rows, 'row')} without a score; the files in "
            f"{os.path.join(job.out, 'errors')} say why",
            err=True,
        )
    if totals.errors or ended.failed:
        click.get_current_context().exit(1)
