"""What compress and decompress share: a model that need not be named, and one file in, one file out."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pofx.cli.chosen import OPTIONS, Chosen

F = TypeVar("F", bound=Callable[..., Any])

ENDING = ".pofx"
_OTHERS = ("begin", "end", "dtype", "context", "stride", "budget")


def optional_model(help: str) -> Callable[[F], F]:
    """-m, which may be left out, and the other options of a model; they reach the verb as one `chosen`, or None."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def with_chosen(*args: Any, model_name: str | None, **others: Any) -> Any:
            said = {name: others.pop(name) for name in _OTHERS}
            chosen = None if model_name is None else Chosen(model_name, **said)
            if chosen is None:
                unheeded = next((n for n in _OTHERS if said[n] is not None and n != "dtype"), None)
                if unheeded:
                    raise click.UsageError(f"--{unheeded}: expected only with -m MODEL, found without.")
            return function(*args, chosen=chosen, **others)

        out: Any = with_chosen
        for option in reversed(OPTIONS[1:]):
            out = option(out)
        named = click.option(
            "-m", "--model", "model_name", envvar="POFX_MODEL", show_envvar=True, metavar="MODEL", help=help
        )
        return named(out)  # type: ignore[no-any-return]

    return decorate


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
