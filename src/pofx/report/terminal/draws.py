"""Draws from p as a table in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from pofx.queries.sample import Draw
from pofx.report.numerals import fixed_point, significant_digits
from pofx.report.terminal.cells import BOLD, DIM, make_table
from pofx.report.visible import visible_bytes
from pofx.units import bits_per_byte


def draws_table(draws: Sequence[Draw]) -> Table:
    """Return a draw a row: its text, log p in nats, bits per byte, and whether EOS ended it.

    A draw that was cut off at `max_tokens` is no draw from p; its last column is "cut off". Draws from a warped distribution
    q have a title that names q, and a column of log q beside log p of the model.
    """
    warp = draws[0].warp if draws else ""
    title = Text(f"draws from q: p at {warp}, renormalised token by token", DIM) if warp else None
    table = make_table(leading=1, title=title, title_justify="left")
    table.add_column("", justify="right", style=DIM, no_wrap=True)
    table.add_column("draw", overflow="fold", ratio=1)
    table.add_column("log q" if warp else "log p", justify="right", no_wrap=True)
    if warp:
        table.add_column("log p", justify="right", no_wrap=True)
    table.add_column("bits/byte", justify="right", no_wrap=True)
    table.add_column("end", no_wrap=True)
    for k, draw in enumerate(draws, start=1):
        per_byte = bits_per_byte(-draw.total, len(draw.bytes))
        table.add_row(
            str(k),
            Text(visible_bytes(draw.bytes)) if draw.bytes else Text("(empty)", DIM),
            fixed_point(draw.total),
            *([] if not warp else ["" if draw.own_total is None else fixed_point(draw.own_total)]),
            significant_digits(per_byte) if draw.bytes else "",
            "EOS" if draw.ended else Text("cut off", BOLD),
        )
    return table
