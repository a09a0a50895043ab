"""The options that name a model of a server, in place of a model that pofx loads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pofx.cli.options.model import ModelOptions

if TYPE_CHECKING:
    from pofx.lm.model import LM
    from pofx.lm.scorer import Scorer

F = TypeVar("F", bound=Callable[..., Any])

# Options of a model that the server decides, or that the address contains.
_HEEDED = ("name", "begin")


def served_options(function: F) -> F:
    """Give a verb --served and --api-key, for a model that is named by the address of a server."""
    key = click.option(
        "--api-key",
        envvar="POFX_API_KEY",
        show_envvar=True,
        metavar="KEY",
        help="The key of the server of -m URL, which is sent to no other server.",
    )
    name = click.option(
        "--served",
        metavar="NAME",
        help="With -m URL: the model's name on the server; by default the first that the server lists.",
    )
    return name(key(function))


def is_address(name: str) -> bool:
    """Return whether the name of a model is the address of a server."""
    return name.startswith(("http://", "https://"))


def connect_to(options: ModelOptions, served: str | None, api_key: str | None) -> LM | Scorer:
    """Connect to a model of a server.

    Raises:
        UsageError: An option is given that only a model loaded by pofx uses.
    """
    from pofx.models.outside.connect import connect

    plain = ModelOptions(options.name, options.begin, None, "float32", None, None, None)
    for field in fields(ModelOptions):
        if field.name not in _HEEDED and getattr(options, field.name) != getattr(plain, field.name):
            raise click.UsageError(
                f"--{field.name}: expected a model that pofx loads, got the address of a server. Leave --{field.name} out."
            )
    return connect(options.name, served, api_key=api_key, begin=options.begin)
