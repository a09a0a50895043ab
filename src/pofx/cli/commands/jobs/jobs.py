"""pofx jobs: how far a job is whose output is a directory."""

from __future__ import annotations

import click

from pofx.cli.command import Command
from pofx.cli.options import arguments
from pofx.cli.options.sharding import PartsDirectory


@click.command(cls=Command, short_help="Tell how far a job in a directory is.")
@click.argument("directory", metavar="DIR", type=PartsDirectory())
@arguments.json_option
def command(directory: str, as_json: bool) -> None:
    """Tell how many units of a job are done, its sums, its rate, and which files have rows without a score.

    The directory is one that score, words or classify wrote with -o DIR/. A running job may be asked at any time.

    \b
    pofx jobs out/
    """
    from pofx.jobs.sharded.status import status

    found = status(directory)
    if as_json:
        from pofx.report.json_records import dumps

        click.echo(dumps(found.record))
        return
    from pofx.units import bits_per_byte, count_noun

    t = found.totals
    click.echo(f"{t.units:,} of {count_noun(found.units, 'unit')} done, {found.bytes_share:.1%} of the bytes")
    click.echo(f"{count_noun(t.rows, 'row')}, {count_noun(t.tokens, 'token')}, log p = {t.nats:.2f} nats")
    if t.bytes:
        click.echo(f"{bits_per_byte(-t.nats, t.bytes):.4f} bits per byte")
    if found.tokens_per_second is not None:
        click.echo(f"{found.tokens_per_second:,.0f} tokens/s between the first and the last unit")
    if t.errors:
        click.echo(f"{t.errors:,} of {count_noun(t.rows, 'row')} without a score, in these files:")
        for path in found.error_files[:10]:
            click.echo(f"  {path}")
        if len(found.error_files) > 10:
            click.echo(f"  and {len(found.error_files) - 10:,} more")
    if t.units < found.units:
        click.echo("the command that began the job goes on with it")
