"""The parts of a page: sections, each with a title and fragments of HTML. All text is escaped here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from pofx.report.numerals import significant_digits, typeset, with_commas
from pofx.report.visible import visible, visible_bytes


@dataclass(frozen=True)
class Fragment:
    """A fragment of HTML, made by this package and never by a caller. All text of a user in it is escaped.

    Attributes:
        html: The HTML.
    """

    html: str


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        title: The heading, plain text; "" for none.
        fragments: The content.
    """

    title: str
    fragments: tuple[Fragment, ...]


class Numeral(str):
    """A number as text, which is aligned to the right like any number."""

    __slots__ = ()


Cell = str | bytes | int | float | None


def text(given: str | bytes) -> str:
    """Plain text as HTML: escaped, and control characters written by name."""
    return escape(visible_bytes(given) if isinstance(given, bytes) else visible(given))


def paragraph(words: str) -> Fragment:
    """Return a paragraph. Words between backticks are set as code."""
    parts = re.split(r"`([^`]+)`", words)
    return Fragment(
        "<p>" + "".join(f"<code>{text(p)}</code>" if k % 2 else text(p) for k, p in enumerate(parts)) + "</p>"
    )


def code(source: str, label: str = "") -> Fragment:
    """Lines of a program or a shell.

    Args:
        source: The lines.
        label: A caption; "" for none.
    """
    return Fragment(
        _labelled(label, "code", f'<pre tabindex="0" aria-label="code"><code>{_lines(source)}</code></pre>')
    )


def quote(words: str, label: str = "") -> Fragment:
    """A text with its line ends, such as a document of a corpus.

    Args:
        words: The text.
        label: A caption; "" for none.
    """
    return Fragment(_labelled(label, "quote", f'<blockquote dir="auto">{_lines(words)}</blockquote>'))


def table(headings: Sequence[str], rows: Sequence[Sequence[Cell]], note: str = "") -> Fragment:
    """Return a table of texts and numbers.

    Args:
        headings: The headings of the columns.
        rows: The cells. Numbers are aligned to the right, floats have 3 significant digits, and None is an empty cell.
        note: A line below the table; "" for none.
    """
    head = "".join(
        f'<th scope="col"{_right(k, rows)}>{text(heading)}</th>' for k, heading in enumerate(headings)
    )
    body = "".join("<tr>" + "".join(_cell(c) for c in row) + "</tr>" for row in rows)
    return Fragment(
        scrolling(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>", "table")
        + (f'<p class="note">{text(note)}</p>' if note else "")
    )


def prose_section(title: str, paragraphs: Sequence[str | Fragment]) -> Section:
    """Return a section of paragraphs and other fragments.

    Args:
        title: The heading of the section.
        paragraphs: Fragments, and strings, which become paragraphs.
    """
    return Section(title, tuple(p if isinstance(p, Fragment) else paragraph(p) for p in paragraphs))


def table_section(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[Cell]], note: str = ""
) -> Section:
    """Return a section that is one table; the arguments are those of `table`."""
    return Section(title, (table(headings, rows, note),))


def scrolling(inner: str, label: str) -> str:
    """HTML in a box that scrolls, also by keyboard, for content that may be wider than a phone.

    Args:
        inner: The HTML.
        label: The name of the box for screen readers.
    """
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{text(label)}">{inner}</div>'


def _labelled(label: str, kind: str, inner: str) -> str:
    caption = f"<figcaption>{text(label)}</figcaption>" if label else ""
    return f'<figure class="{kind}">{caption}{inner}</figure>'


def _lines(source: str) -> str:
    """Text as HTML that keeps its line ends and tabs."""
    return "\n".join("\t".join(text(part) for part in line.split("\t")) for line in source.split("\n"))


def _right(column: int, rows: Sequence[Sequence[Cell]]) -> str:
    cells = [row[column] for row in rows if column < len(row)]
    return ' class="n"' if cells and all(isinstance(c, Numeral | int | float | None) for c in cells) else ""


def _cell(cell: Cell) -> str:
    if cell is None:
        return "<td></td>"
    if isinstance(cell, Numeral):
        return f'<td class="n">{text(typeset(cell))}</td>'
    if isinstance(cell, str | bytes):
        return f'<td dir="auto">{text(cell)}</td>'
    return f'<td class="n">{typeset(with_commas(cell) if isinstance(cell, int) else significant_digits(cell))}</td>'
