"""The words of a text as a table for a terminal."""

from __future__ import annotations

from rich import box
from rich.style import Style
from rich.table import Table
from rich.text import Text

from pofx.queries.words.words import Word, Worded
from pofx.report.numerals import fixed, whole
from pofx.report.visible import visible
from pofx.units import bits

SHOWN = 200
DIM = Style(dim=True)


def words_table(worded: Worded) -> Table:
    """Word, where it stands, surprisal in nats and bits, the end's share of its nats, entropy, tokens; the sum below.

    Above 200 words the rest is left out, and said to be; the sum is of all.
    """
    table = Table(box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False)
    total = -worded.total
    table.add_column("i", justify="right", style=DIM, no_wrap=True)
    table.add_column("word", Text("Σ = −log p(text)", no_wrap=True), min_width=16)
    table.add_column("at", justify="right", style=DIM, no_wrap=True)
    table.add_column("nats", fixed(total), justify="right", no_wrap=True)
    table.add_column("bits", fixed(bits(total)), justify="right", no_wrap=True)
    table.add_column("end", justify="right", no_wrap=True)
    table.add_column("entropy", justify="right", no_wrap=True)
    table.add_column("tokens", justify="right", no_wrap=True)
    for word in worded.words[:SHOWN]:
        table.add_row(*_cells(word))
    if len(worded.words) > SHOWN:
        table.add_row("…", Text(f"{whole(len(worded.words) - SHOWN)} hidden", style=DIM, no_wrap=True))
    return table


def _cells(word: Word) -> list[Text | str]:
    shown = Text(visible(word.text), no_wrap=True, overflow="ellipsis")
    return [
        "" if word.index is None else str(word.index),
        shown,
        f"{word.start}–{word.end}",
        fixed(word.surprisal),
        fixed(word.bits),
        fixed(word.ending) if word.ending else "",
        fixed(word.entropy),
        str(word.tokens),
    ]
