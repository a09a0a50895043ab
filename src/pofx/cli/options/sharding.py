"""Options of a run whose output is a directory of parts: how many workers, how large units, how many bad rows."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from pofx.cli.options.arguments import typed
from pofx.cli.options.numbers import Real, Whole
from pofx.files.limits import parse_size
from pofx.files.urls import is_url, local_path

F = TypeVar("F", bound=Callable[..., Any])
FLAGS = {
    "workers": "--workers",
    "ray": "--ray",
    "unit_size": "--unit-size",
    "max_error_rate": "--max-error-rate",
}


@dataclass(frozen=True)
class Sharding:
    """How the units of a job are made and done.

    Attributes:
        workers: How many processes do the units; None for one process on each core.
        unit_bytes: The size of a unit, bytes; None for about a minute of work.
        max_error_rate: The largest share of rows without a score, from 0 to 1.
        ray: The address of a Ray cluster, "local" for a Ray on this machine, None for no Ray.
    """

    workers: int | None
    unit_bytes: int | None
    max_error_rate: float
    ray: str | None

    @property
    def processes(self) -> int:
        """How many processes do the units: --workers, or the cores of this machine."""
        return self.workers or cores()

    @property
    def wanted(self) -> int | None:
        """How many processes do the units; None for one actor on each CPU of a cluster."""
        return self.workers if self.ray not in (None, "local") else self.processes


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_directory(out: str | None) -> bool:
    """Return whether -o names a directory: the name ends in /, or a directory of this name exists, which has no ending."""
    return out is not None and (out.endswith(("/", os.sep)) or (not Path(out).suffix and Path(out).is_dir()))


class PartsDirectory(click.Path):
    """The type of DIR: a directory of this machine, or the URL of a prefix of a store."""

    def __init__(self) -> None:
        super().__init__(exists=True, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a URL as it was typed; a store is asked when its files are read."""
        return value if is_url(local_path(value)) else super().convert(local_path(value), param, ctx)


def _size(context: click.Context, option: click.Parameter, text: str | None) -> int | None:
    size = None if text is None else parse_size(text)
    if text is not None and not size:
        raise click.UsageError(
            f"--unit-size: expected a size in bytes, got {text!r:.40}; write a number and K, M or G, such as 64M."
        )
    return size


OPTIONS = (
    click.option(
        "--workers",
        type=Whole(1, 1024),
        metavar="N",
        help="-o DIR/: use N processes, each with one thread and the model; by default one a core.",
    ),
    click.option(
        "--ray",
        is_flag=False,
        flag_value="local",
        metavar="[ADDRESS]",
        help="-o DIR/: do the units on Ray: on this machine, or on the cluster at ADDRESS (HOST:PORT, or auto).",
    ),
    click.option(
        "--unit-size",
        metavar="SIZE",
        callback=_size,
        help="-o DIR/: cut files into units of this many bytes, such as 64M; by default about a minute of work.",
    ),
    click.option(
        "--max-error-rate",
        type=Real(0, 1),
        default=0.001,
        show_default=True,
        metavar="SHARE",
        help="-o DIR/: end the run if more than this share of the rows has no score; the units that are done are kept.",
    ),
)


def sharding_options(function: F) -> F:
    """Give a verb --workers, --ray, --unit-size and --max-error-rate as one argument `sharding`, a `Sharding`.

    Each of these options is refused without -o DIR/ (`click.UsageError`), and so is a malformed --ray (`BadValue`).
    """

    @functools.wraps(function)
    def with_sharding(
        *args: Any,
        out: str | None,
        workers: int | None,
        ray: str | None,
        unit_size: int | None,
        max_error_rate: float,
        **others: Any,
    ) -> Any:
        unheeded = next((flag for name, flag in FLAGS.items() if typed(name)), None)
        if unheeded and not is_directory(out):
            found = "without" if out is None else f"-o {out}"
            raise click.UsageError(
                f"{unheeded}: expected only with a directory, -o DIR/, got {found}; end the name of the directory in /."
            )
        if ray is not None:
            from pofx.ray_session import check_ray

            check_ray(ray)
        return function(*args, out=out, sharding=Sharding(workers, unit_size, max_error_rate, ray), **others)

    found: Any = with_sharding
    for option in reversed(OPTIONS):
        found = option(found)
    return found  # type: ignore[no-any-return]
