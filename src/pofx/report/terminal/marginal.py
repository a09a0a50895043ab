"""Sums over tokenisations as a table for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.style import Style
from rich.table import Table
from rich.text import Text

from pofx.queries.marginal.marginal import Marginal
from pofx.report.numerals import fixed, significant, whole
from pofx.report.visible import excerpt

DIM = Style(dim=True)


def marginal_table(found: Sequence[Marginal]) -> Table:
    """A text a row: log p, how it is known, its interval, the canonical term, and the gap in bits."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("text", overflow="ellipsis", min_width=8)
    table.add_column("log p", justify="right", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    known = all(m.kind == "exact" for m in found)
    if not known:
        table.add_column("95 %", justify="right", style=DIM, no_wrap=True)
    table.add_column("canonical", justify="right", no_wrap=True)
    table.add_column("gap, bits", justify="right", no_wrap=True)
    table.add_column("found", justify="right", style=DIM, no_wrap=True)
    for m in found:
        low, high = m.interval
        table.add_row(
            Text(excerpt(m.text) or "(empty)", no_wrap=True),
            fixed(m.total),
            m.kind,
            *([] if known else ["" if m.kind == "exact" else f"{fixed(low)} … {fixed(high)}"]),
            fixed(m.canonical),
            significant(m.gap_bits),
            whole(m.found) if m.found < 10**7 else significant(float(min(m.found, 10**300))),
        )
    return table
