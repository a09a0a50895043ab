"""Several models of one command: MODEL or NAME=MODEL, each with its name."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from pofx.cli.options.model import OPTIONS, OTHERS, ModelName, ModelOptions

F = TypeVar("F", bound=Callable[..., Any])

_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)=(.+)", re.DOTALL)
_ENDINGS = (".gguf", ".arpa", ".gz")


def several_models(help: str) -> Callable[[F], F]:
    """Give a verb a repeatable -m and the options of a model as one argument `models`: the options of each model, by name.

    A single model that the user gave no name has the name "".

    Args:
        help: The last sentence of the help of -m.
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def with_models(*args: Any, names: tuple[str, ...], **others: Any) -> Any:
            said = {n: others.pop(n) for n in OTHERS}
            given = names or (os.environ.get("POFX_MODEL") or "builtin",)
            named = named_models(given, ModelOptions(given[0], **said))
            if len(given) == 1 and parted_name(given[0])[1] == given[0]:
                named = [("", named[0][1])]
            return function(*args, models=dict(named), **others)

        out: Any = with_models
        for option in reversed(OPTIONS[1:]):
            out = option(out)
        named = click.option(
            "-m",
            "--model",
            "names",
            type=ModelName(),
            multiple=True,
            metavar="[NAME=]MODEL",
            help="A directory, a .gguf or .arpa file, a hub id, 'smollm2', or 'builtin' (the default); repeatable. "
            f"{help}  [env var: POFX_MODEL]",
        )
        return named(out)  # type: ignore[no-any-return]

    return decorate


def named_models(given: Sequence[str], options: ModelOptions) -> list[tuple[str, ModelOptions]]:
    """Return the name of each model, and its options.

    Args:
        given: The value of each -m: the name of a model for `load`, or NAME=MODEL. A file or directory that exists is a
            model, even where its name has an equals sign.
        options: The options of all models.

    Raises:
        click.UsageError: Two models have one name.
    """
    return [(name, replace(options, name=model)) for name, model in by_name(given, "-m", "model").items()]


def by_name(given: Sequence[str], option: str, noun: str, place: str = "") -> dict[str, str]:
    """Return the path of each model or classifier, by its name.

    Args:
        given: The values of the option, each PLACE or NAME=PLACE.
        option: The option, for messages.
        noun: The noun of a value, such as "model", for messages.
        place: The word for a path in the help of the option; the noun in capitals by default.

    Raises:
        click.UsageError: Two values have one name.
    """
    out: dict[str, str] = {}
    for text in given:
        name, where = parted_name(text)
        if name in out:
            raise click.UsageError(
                f"{option}: expected {noun}s of different names, got two named {name!r}; name one yourself "
                f"({option} NAME={place or noun.upper()})."
            )
        out[name] = where
    return out


def parted_name(text: str) -> tuple[str, str]:
    """Return the name and the path of NAME=PLACE; a path that exists gets the name of its last part."""
    found = None if Path(text).exists() else _NAME.fullmatch(text)
    return (name_of(text), text) if found is None else (found[1], found[2])


def name_of(model: str) -> str:
    """Return the last part of a path or hub id, without the ending of a file and without a revision.

    The name stands in addresses and in lists of arguments, so characters other than letters of English, digits, dots, dashes
    and underscores become dashes.
    """
    name = Path(model.split("@")[0] if not Path(model).exists() else model).resolve().name
    for _ in range(2):
        ending = next((e for e in _ENDINGS if name.lower().endswith(e) and len(name) > len(e)), "")
        name = name.removesuffix(name[len(name) - len(ending) :]) if ending else name
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "model"
