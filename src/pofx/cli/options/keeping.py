"""What a run with -o may lose: what a stopped run left, and a file that an earlier run finished."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from pofx.cli.options import arguments
from pofx.cli.options.written import may_overwrite

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Keeping:
    """What may be lost. fresh: what a stopped run left; overwrite: a file that an earlier run finished."""

    fresh: bool
    overwrite: bool


def keeping_options(function: F) -> F:
    """--fresh, and the --overwrite of every verb that writes, as one `keeping`; --fresh is refused without -o."""

    @functools.wraps(function)
    def with_keeping(*args: Any, fresh: bool, out: str | None, **others: Any) -> Any:
        if out is None and arguments.typed("fresh"):
            raise click.UsageError("--fresh: expected only with -o FILE, found without.")
        return function(*args, keeping=Keeping(fresh, may_overwrite()), out=out, **others)

    found: Any = with_keeping
    option = click.option("--fresh", is_flag=True, help="-o: start over, whatever a stopped run left.")
    return option(found)  # type: ignore[no-any-return]
