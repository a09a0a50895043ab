"""The words of a text as a table in a terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from pofx.queries.words.words import Word, Worded
from pofx.report.numerals import fixed_point, to_number, with_commas
from pofx.report.sums import addends
from pofx.report.terminal.cells import DIM, make_table
from pofx.report.visible import visible
from pofx.units import bits

SHOWN = 200


def words_table(worded: Worded) -> Table:
    """Return a word a row: its place, its surprisal in nats and bits, the share of its boundary, entropy and tokens.

    The last line is the sum over all words. A text of more than 200 words loses the rows after the 200th word, and a row has
    their number and their sum.
    """
    table = make_table(show_footer=True)
    total = -worded.total
    table.add_column("i", justify="right", style=DIM, no_wrap=True)
    table.add_column("word", Text("Σ = −log p(text)", no_wrap=True), min_width=16)
    table.add_column("at", justify="right", style=DIM, no_wrap=True)
    table.add_column("nats", fixed_point(total), justify="right", no_wrap=True)
    table.add_column("bits", fixed_point(bits(total)), justify="right", no_wrap=True)
    table.add_column("end", justify="right", no_wrap=True)
    table.add_column("entropy", justify="right", no_wrap=True)
    table.add_column("tokens", justify="right", no_wrap=True)
    nats = addends([w.surprisal for w in worded.words], total)
    in_bits = addends([w.bits for w in worded.words], bits(total))
    for word, *shown in zip(worded.words[:SHOWN], nats, in_bits):
        table.add_row(*_cells(word, *shown))
    if len(worded.words) > SHOWN:
        hidden = f"{with_commas(len(worded.words) - SHOWN)} hidden"
        rest = (Text(fixed_point(sum(map(to_number, column[SHOWN:]))), DIM) for column in (nats, in_bits))
        table.add_row("…", Text(hidden, style=DIM, no_wrap=True), "", *rest)
    return table


def _cells(word: Word, nats: str, in_bits: str) -> list[Text | str]:
    shown = Text(visible(word.text), no_wrap=True, overflow="ellipsis")
    return [
        "" if word.index is None else str(word.index),
        shown,
        f"{word.start}–{word.end}",
        nats,
        in_bits,
        fixed_point(word.ending) if word.ending else "",
        fixed_point(word.entropy),
        str(word.tokens),
    ]
