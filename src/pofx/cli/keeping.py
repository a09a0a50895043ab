"""What a run with -o may lose: what a stopped run left, and a file that an earlier run finished."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from pofx.cli import options

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Keeping:
    """What may be lost. fresh: what a stopped run left; overwrite: a file that an earlier run finished."""

    fresh: bool
    overwrite: bool


def keeping_options(function: F) -> F:
    """--fresh and --overwrite, which reach the verb as one `keeping`; both are refused without -o."""

    @functools.wraps(function)
    def with_keeping(*args: Any, fresh: bool, overwrite: bool, out: str | None, **others: Any) -> Any:
        unheeded = next((f"--{name}" for name in ("fresh", "overwrite") if options.typed(name)), None)
        if out is None and unheeded:
            raise click.UsageError(f"{unheeded}: expected only with -o FILE, found without.")
        return function(*args, keeping=Keeping(fresh, overwrite), out=out, **others)

    found: Any = with_keeping
    for option in (
        click.option("--overwrite", is_flag=True, help="-o: replace a file that an earlier run finished."),
        click.option("--fresh", is_flag=True, help="-o: start over, whatever a stopped run left."),
    ):
        found = option(found)
    return found  # type: ignore[no-any-return]
