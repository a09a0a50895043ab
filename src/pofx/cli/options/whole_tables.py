"""A table that a verb reads as a whole, by the user's options of the layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pofx.cli.options.layout import Layout
    from pofx.corpus.whole_table import WholeTable


def read_table(
    file: str, layout: Layout, text_of: Callable[[Sequence[str]], str] | None = None
) -> WholeTable:
    """Read all columns of a file; a file that ends in .arrow or .feather has no layout.

    Args:
        file: The file.
        layout: How the file is read.
        text_of: A function of the names of all columns, which returns the name of the column of strings.

    Raises:
        BadSource: The file is no whole table.
    """
    from pofx.corpus.whole_table import ARROW, read_arrow_file, read_whole_table

    if layout.format is None and file.lower().endswith(ARROW):
        found = read_arrow_file(file)
        if text_of is not None:
            text_of(found.names)  # refuses a table without the columns of the verb
        return found
    return read_whole_table(layout.records((file,), lambda bad: None), text_of)
