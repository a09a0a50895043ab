"""What a job notices of its input, on standard error."""

from __future__ import annotations

import click

from pofx.cli.output.bad_rows import left_out
from pofx.jobs.events import BlankLines, Notice, RepeatedId, UncomparedIds


def tell(notice: Notice) -> None:
    """Print one notice."""
    match notice:
        case BlankLines(lines):
            left_out(0, 1, lines)
        case RepeatedId():
            click.echo(f"pofx: warning: {_repeated(notice)}", err=True)
        case UncomparedIds(most):
            click.echo(
                f"pofx: warning: ids were compared with the first {most:,} different ones only; "
                "sort the ids to find what else is repeated",
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
