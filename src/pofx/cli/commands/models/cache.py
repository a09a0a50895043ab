"""pofx cache: list and clear files that pofx can make again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from pofx.cli.command import Group
from pofx.cli.options import arguments

if TYPE_CHECKING:
    from pofx.files.cache import Entry


@click.group(
    cls=Group,
    invoke_without_command=True,
    short_help="Show or clear the files that pofx keeps and can make again.",
)
@arguments.json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List what is in the cache, with sizes: converted models, the built-in model, records of finished runs, and others.

    The cache is the directory POFX_CACHE, or the user's own. Converted models take at most POFX_CACHE_LIMIT (20G)
    together; the models used longest ago make room for new ones.
    """
    if ctx.invoked_subcommand is None:
        _show(as_json)


@command.command(short_help="Remove files that pofx can make again.")
@click.argument("name", required=False)
@arguments.json_option
def clear(name: str | None, as_json: bool) -> None:
    """Remove NAME from the cache, or everything if no NAME is given.

    Nothing is lost that pofx cannot make again. Without the records of finished runs ('finished'), a command that is
    given again needs --overwrite.
    """
    from pofx.files import cache

    removed = cache.clear(name)
    if as_json:
        _records(removed)
        return
    for e in removed:
        click.echo(f"removed {e.name} ({_size(e.size)})")
    if not removed:
        click.echo("nothing to remove")


def _show(as_json: bool) -> None:
    from pofx.files import cache

    found = cache.entries()
    if as_json:
        _records(found)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from pofx.report.visible import visible

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("name", overflow="fold")
    table.add_column("size", justify="right")
    table.add_column("last used", justify="right")
    for e in found:
        table.add_row(Text(visible(e.name)), _size(e.size), _age(time.time() - e.used))
    if found:
        Console().print(table)
    models = sum(e.size for e in found if e.path.parent.name == cache.MODELS)
    click.echo(
        f"{cache.cache_dir()}: {_size(sum(e.size for e in found))}, converted models {_size(models)} of at most "
        f"{_size(cache.limit())} ({cache.LIMIT_VARIABLE})",
        err=True,
    )


def _records(found: list[Entry]) -> None:
    from pofx.report.json_records import dumps

    for e in found:
        click.echo(dumps({"name": e.name, "bytes": e.size, "last_used": e.used, "path": str(e.path)}))


def _size(n: int) -> str:
    for unit, least in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n >= least:
            return f"{n / least:.1f} {unit}"
    return f"{n} B"


def _age(seconds: float) -> str:
    for unit, least in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= least:
            n = int(seconds // least)
            return f"{n} {unit}{'s' if n > 1 else ''} ago"
    return "just now"
