"""The option -m of verbs that compare several models on the same texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from pofx.cli.options.model import ModelName

F = TypeVar("F", bound=Callable[..., Any])


def compared_models(told: str) -> Callable[[F], F]:
    """Give a verb a repeatable -m as the argument `names`.

    Args:
        told: The last words of the help of -m.
    """
    return click.option(
        "-m",
        "--model",
        "names",
        type=ModelName(),
        multiple=True,
        required=True,
        metavar="MODEL",
        help=f"A directory, a .gguf or .arpa file, a hub id, 'smollm2' or 'builtin'{told}.",
    )
