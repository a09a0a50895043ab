"""pofx verify: whether the output directory of a job is whole."""

from __future__ import annotations

import click

from pofx.cli.command import Command
from pofx.cli.options import arguments
from pofx.cli.options.sharding import PartsDirectory


@click.command(cls=Command, short_help="Check that the output directory of a job is whole.")
@click.argument("directory", metavar="DIR", type=PartsDirectory())
@click.option(
    "--redo",
    is_flag=True,
    help="Remove the records of faulty units, so that the command that made DIR does them again.",
)
@arguments.json_option
def command(directory: str, redo: bool, as_json: bool) -> None:
    """Hash every part again, and name what is missing, damaged or of no unit. Exit code 1 if anything is.

    \b
    pofx verify out/
    pofx verify out/ --redo
    """
    from pofx.jobs.sharded.verify import forget_faulty, verify

    found = verify(directory)
    if as_json:
        from pofx.report.json_records import dumps

        for f in found:
            click.echo(dumps({"fault": f.fault, "path": str(f.path), "told": f.told}))
    else:
        for f in found:
            click.echo(f"{f.fault}: {f.path}: {f.told}")
        if not found:
            click.echo("every unit is there, once, as its record says")
    if redo:
        from pofx.units import count_noun

        removed = count_noun(forget_faulty(directory, found), "record")
        click.echo(
            f"pofx: {removed} removed; the command that made {directory} does these units again", err=True
        )
    if found:
        click.get_current_context().exit(1)
