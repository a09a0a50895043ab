"""The terms of a number: the line under a table, and the option --terms, which writes columns into rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pofx.queries.scoring.terms import Terms

terms_option = click.option(
    "--terms",
    "with_terms",
    is_flag=True,
    help="-o: also write the settings that hold for all rows as columns: model, x0, window, dtype, kind.",
)


def line(model: str, terms: Terms) -> str:
    """Return the model and the terms that all its numbers share, as one line."""
    from pofx.report.visible import visible

    return f"{visible(model)}: {visible(terms.common)}"


def print_line(model: str, terms: Terms) -> None:
    """Print the line under a table, no wider than the terminal."""
    from rich.console import Console
    from rich.text import Text

    Console(highlight=False).print(Text(line(model, terms)))
