"""Errors in the words of the command line: advice names options of the running verb, and no arguments of Python."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from pofx.errors import Advice, PofxError

E = TypeVar("E", bound="PofxError")

# A verb may take a prefix or a text as an argument of another name.
_ARGUMENTS = {"given": ("given", "prefix"), "text": ()}
# Options that have another name than the argument of Python.
_OPTIONS = {"units": "unit", "outlier_p": "reject", "weights": "weight"}


def in_shell(error: E, verb: click.Context | None = None) -> E:
    """Return the same error in the words of the command line.

    Args:
        error: The error of a query, with advice in the spellings of Python and of the command line.
        verb: The context of the verb that was called, by default the running one. Advice that asks for a parameter
            which this verb does not have is left out.

    Returns:
        An error of the same class, whose `str` is the line to print.

    Right: `click.echo(str(in_shell(e)), err=True)`. Wrong: `str(e)`, which names arguments of Python.
    """
    from pofx.errors import Advice

    verb = verb or click.get_current_context(silent=True)
    out = copy.copy(error)
    if error.argument is not None:
        name = error.argument.python
        shell = _known(error.argument.shell, verb) or (None if verb is None else _option(name, verb)) or name
        out.message, out.argument = f"{shell}: {error.message}", None
    out.advice = tuple(Advice(told) for a in error.advice if (told := _spelled(a, verb)) is not None)
    return out


def shell_line(error: PofxError) -> str:
    """Return the error in one line, in the words of the command line."""
    return str(in_shell(error))


def _spelled(advice: Advice, verb: click.Context | None) -> str | None:
    """Return the advice with the verb's option or argument; None where the verb has neither."""
    shell = _known(advice.shell, verb)
    if advice.parameter:
        parameter = None if verb is None else _parameter(advice.parameter, verb)
        if parameter is None or verb is None:
            return None
        if isinstance(parameter, click.Argument):
            shell = parameter.make_metavar(verb).strip("[]")
    return f"{advice.do} ({shell})" if shell else advice.do


def _known(options: str, verb: click.Context | None) -> str:
    """Return the options of a list that the verb has, such as `--given-field, --keep` of three options."""
    there = [] if verb is None else [o for p in verb.command.params for o in p.opts]
    return ", ".join(o for o in options.split(", ") if o in there) or options


def _option(name: str, verb: click.Context) -> str | None:
    """Return the option of the verb that sets an argument of Python; None where the verb has none."""
    name = _OPTIONS.get(name, name)
    spellings = {"-" + name, "--" + name.replace("_", "-")}
    options = [p for p in verb.command.params if isinstance(p, click.Option)]
    found = [p for p in options if spellings & set(p.opts)] or [p for p in options if p.name == name]
    return max(found[0].opts, key=len) if found else None


def _parameter(name: str, verb: click.Context) -> click.Parameter | None:
    """Return the parameter of the verb that an advice needs."""
    for p in verb.command.params:
        if isinstance(p, click.Argument):
            if p.name in _ARGUMENTS.get(name, (name,)):
                return p
        elif f"--{name}" in p.opts:
            return p
    return None
