"""Blocks of a page that hold no record: prose, code, quotes and tables. A block has a kind, and plain data for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pofx.report.numerals import significant_digits, typeset, with_commas
from pofx.vocab.vocabulary import plain_text


@dataclass(frozen=True)
class Block:
    """A block of a page: a component of the page draws it from its data.

    Attributes:
        kind: The name of the component, a kind of `web/src/offline/document.ts`.
        data: Plain data for JSON. Texts of a user are data, and never markup.
    """

    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        title: The heading, plain text; "" for none.
        blocks: The content.
    """

    title: str
    blocks: tuple[Block, ...]


class Numeral(str):
    """A number as text, which is aligned to the right like any number."""

    __slots__ = ()


Cell = str | bytes | int | float | None


def paragraph(words: str) -> Block:
    """Return a paragraph. Words between backticks are set as code."""
    return Block("paragraph", {"text": words})


def code(source: str, label: str = "") -> Block:
    """Return the lines of a program or a shell as a block.

    Args:
        source: The lines.
        label: A caption; "" for none.
    """
    return Block("code", {"text": source, "label": label})


def quote(words: str, label: str = "") -> Block:
    """Return a text with its line ends as a block, such as a document of a corpus.

    Args:
        words: The text.
        label: A caption; "" for none.
    """
    return Block("quote", {"text": words, "label": label})


def table(headings: Sequence[str], rows: Sequence[Sequence[Cell]], note: str = "") -> Block:
    """Return a table of texts and numbers.

    Args:
        headings: The headings of the columns.
        rows: The cells. Numbers are aligned to the right, floats have 3 significant digits, and None is an empty cell.
        note: A line below the table; "" for none.
    """
    return Block(
        "table",
        {"headings": list(headings), "rows": [[_cell(c) for c in row] for row in rows], "note": note},
    )


def prose_section(title: str, paragraphs: Sequence[str | Block]) -> Section:
    """Return a section of paragraphs and other blocks.

    Args:
        title: The heading of the section.
        paragraphs: Blocks, and strings, which become paragraphs.
    """
    return Section(title, tuple(p if isinstance(p, Block) else paragraph(p) for p in paragraphs))


def table_section(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[Cell]], note: str = ""
) -> Section:
    """Return a section that is one table; the arguments are those of `table`."""
    return Section(title, (table(headings, rows, note),))


def _cell(cell: Cell) -> str | dict[str, str] | None:
    """Return a text as a string, and a number as an object whose `number` is the shown form."""
    if cell is None:
        return None
    if isinstance(cell, Numeral):
        return {"number": typeset(cell)}
    if isinstance(cell, str | bytes):
        return plain_text(cell)
    return {"number": typeset(with_commas(cell) if isinstance(cell, int) else significant_digits(cell))}
