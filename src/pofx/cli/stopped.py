"""What is said where a run with -o is stopped, and where it is taken up again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pofx.journal import Journal


def cannot_resume(part: Path, fresh: bool, quiet: bool) -> None:
    """`BadSource` where rows of a stopped run would be lost, else a warning that this one is lost if it is stopped."""
    from pofx.errors import BadSource

    if part.exists() and not fresh:
        raise BadSource(
            f"{part}: expected no rows of a stopped run, since standard input (or a pipe) cannot be read again "
            "to go on with them",
            "move them away, or start over: --fresh",
        )
    if not quiet:
        click.echo(
            "pofx: standard input (or a pipe) cannot be read again: a run that is stopped cannot be resumed",
            err=True,
        )


def tell_begin(journal: Journal) -> None:
    """What a stopped run left, if there was one."""
    from pofx.journal_files import progress_of

    done, stretches = journal.saved.state["items"], journal.tape.left
    if stretches:
        where = f"{done:,} rows and {_stretches(stretches)} of the next text, which are kept in {journal.tape.path}"
        click.echo(f"pofx: going on after {where} (--fresh starts over)", err=True)
    elif done:
        click.echo(f"pofx: going on after {done:,} rows of {journal.part} (--fresh starts over)", err=True)
    elif journal.in_vain:
        click.echo(
            f"pofx: {progress_of(journal.target)}: found a stopped run that had kept no row; starting over",
            err=True,
        )


def _stretches(n: int) -> str:
    from pofx.queries.wording import counted

    return counted(n, "stretch", "stretches")


def interrupted(journal: Journal, again: bool) -> None:
    """Keep what was done, say how to go on, and end with 130. again: whether the input can be read again."""
    journal.tape.flush()
    if journal.saved.offset == 0 and not journal.keeps:
        journal.discard()
        click.echo("pofx: interrupted before the first rows were scored", err=True)
    elif journal.part.exists():
        journal.checkpoint()
        kept = f"{journal.saved.state['items']:,} rows are kept in {journal.part}"
        if stretches := journal.tape.kept + journal.tape.left:
            kept = f"{kept}, {_stretches(stretches)} of the next text in {journal.tape.path}"
        then = (
            "the same command goes on from there"
            if again
            else "they cannot be resumed from standard input or a pipe"
        )
        click.echo(f"pofx: interrupted; {kept}; {then}", err=True)
    else:
        click.echo("pofx: interrupted, when all was written", err=True)
    click.get_current_context().exit(130)
