"""The styles, tables and cells that all records share in a terminal."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.style import Style
from rich.table import Table
from rich.text import Text

DIM = Style(dim=True)
BOLD = Style(bold=True)
WIDEST_TOKEN = 32


def make_table(**options: Any) -> Table:
    """Return a table without frame, whose headings have a line below them.

    Args:
        options: Further arguments of `rich.table.Table`.
    """
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, **options)


def make_token_cell(name: str, style: Style | str = "") -> Text:
    """Return a token's name as a cell of one line, cut to 32 columns.

    Args:
        name: The printable name of the token.
        style: The style of the cell.
    """
    text = Text(name, style, no_wrap=True, overflow="ellipsis")
    text.truncate(WIDEST_TOKEN, overflow="ellipsis")
    return text
