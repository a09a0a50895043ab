"""What compress and decompress share: one file in, one file out."""

from __future__ import annotations

import sys
from pathlib import Path

import click

ENDING = ".pofx"


def read(name: str) -> bytes:
    """The bytes of a file, or of standard input."""
    return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()


def target(name: str, out: str | None, default: str | None) -> str:
    """Where the result goes: `out`; else standard output for standard input, else `default`, if nothing is there."""
    if out is not None:
        return out
    if name == "-":
        return "-"
    if default is None:
        raise click.UsageError(
            f"{name}: expected a name that ends in {ENDING}, to leave that off; say where to write with -o."
        )
    if Path(default).exists():
        raise click.UsageError(
            f"{default}: expected no file of that name, found one; to replace it, name it with -o."
        )
    return default


def write(path: str, data: bytes, quiet: bool) -> None:
    """A file in one step, or all of it on standard output."""
    if path == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    from pofx.cache import write_atomically

    write_atomically(Path(path), data)
    if not quiet:
        click.echo(f"pofx: wrote {path}", err=True)
