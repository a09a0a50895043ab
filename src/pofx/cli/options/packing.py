"""The reading of the input and the writing of the output of `pofx compress` and `pofx decompress`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pofx.queries.compression.decompress import CodingProgress

ENDING = ".pofx"


def read(name: str) -> bytes:
    """Return the bytes of a file, or of standard input for `-`."""
    return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()


def packed_name(values: Mapping[str, Any]) -> str:
    """Return the default output of compress: FILE.pofx; standard output where FILE is standard input."""
    name: str = values["file"]
    return "-" if name == "-" else name + ENDING


def unpacked_name(values: Mapping[str, Any]) -> str | None:
    """Return the default output of decompress: FILE without .pofx; None where FILE has another ending."""
    name: str = values["file"]
    return "-" if name == "-" else name.removesuffix(ENDING) if name.endswith(ENDING) else None


@contextmanager
def progress_bar(quiet: bool) -> Iterator[CodingProgress | None]:
    """Show a bar on a terminal, since a pretrained model codes only about a dozen tokens a second."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = BarColumn(bar_width=24), TextColumn("{task.description}"), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks = {}

        def move(stage: str, share: float) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=1.0)
            bar.update(tasks[stage], completed=share)

        yield move


def write(path: str, data: bytes, quiet: bool) -> None:
    """Write a file in one step, or the bytes on standard output for `-`."""
    if path == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    from pofx.files.atomic import write_atomically

    write_atomically(Path(path), data)
    if not quiet:
        click.echo(f"pofx: wrote {path}", err=True)
