"""Sums over tokenisations as a table in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from pofx.queries.marginal.marginal import Marginal
from pofx.report.numerals import fixed_point, significant_digits, with_commas
from pofx.report.terminal.cells import DIM, make_table
from pofx.report.visible import excerpt


def marginal_table(records: Sequence[Marginal]) -> Table:
    """Return a text a row: log p, whether it is exact, its interval, the canonical term, and the gap in bits."""
    table = make_table()
    table.add_column("text", overflow="ellipsis", min_width=8)
    table.add_column("log p", justify="right", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    exact = all(m.kind == "exact" for m in records)
    if not exact:
        table.add_column("95 %", justify="right", style=DIM, no_wrap=True)
    table.add_column("canonical", justify="right", no_wrap=True)
    table.add_column("gap, bits", justify="right", no_wrap=True)
    table.add_column("found", justify="right", style=DIM, no_wrap=True)
    for m in records:
        low, high = m.interval
        interval = "" if m.kind == "exact" else f"{fixed_point(low)} … {fixed_point(high)}"
        table.add_row(
            Text(excerpt(m.text) or "(empty)", no_wrap=True),
            fixed_point(m.total),
            m.kind,
            *([] if exact else [interval]),
            fixed_point(m.canonical),
            significant_digits(m.gap_bits),
            with_commas(m.found) if m.found < 10**7 else significant_digits(float(min(m.found, 10**300))),
        )
    return table
