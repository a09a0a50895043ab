"""Warnings of Python on the command line: a warning of pofx is one line, and warnings of libraries are not shown."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

_HOME = str(Path(__file__).resolve().parents[1])
# Warnings for the author of a program, such as "possible nested set" of `re` for a pattern, or of deprecated functions.
_OF_PROGRAMS = (
    FutureWarning,
    DeprecationWarning,
    PendingDeprecationWarning,
    SyntaxWarning,
    ImportWarning,
    ResourceWarning,
)


@contextmanager
def shown_warnings() -> Iterator[None]:
    """Show warnings of pofx as lines on standard error, and no warnings of libraries."""

    def show(
        message: Warning | str, category: type[Warning], filename: str, *about: object, **more: object
    ) -> None:
        if filename.startswith(_HOME) and not issubclass(category, _OF_PROGRAMS):
            said = "".join(c for c in " ".join(str(message).split()) if c.isprintable())
            click.echo(f"pofx: warning: {said}", err=True)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
