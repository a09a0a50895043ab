"""Which model of a mixture each text is from, as a table in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from pofx.queries.posterior import MixturePosterior
from pofx.report.numerals import fixed_point, probability
from pofx.report.terminal.cells import BOLD, DIM, make_table
from pofx.report.visible import excerpt, visible


def mixture_posterior_table(records: Sequence[MixturePosterior], names: Sequence[str]) -> Table:
    """Return a table of texts, each with a row a model (log p of the text, prior, posterior), and a row of the mixture.

    A column holds the bounds of log p, where the written bounds of any model differ.

    Args:
        records: A record a text.
        names: The names of the models, in the order of the mixture.
    """
    exact = not any(_bounds(r, c) for r in records for c in range(len(names)))
    table = make_table()
    table.add_column("text", overflow="ellipsis", min_width=8)
    table.add_column("model", overflow="fold")
    table.add_column("log p", justify="right", no_wrap=True)
    if not exact:
        table.add_column("bounds", justify="right", style=DIM, no_wrap=True)
    table.add_column("prior", justify="right", no_wrap=True)
    table.add_column("posterior", justify="right", no_wrap=True)
    for record in records:
        likeliest = int(record.posterior.argmax())
        text = Text(excerpt(record.text) or "(empty)", no_wrap=True)
        for c, name in enumerate(names):
            table.add_row(
                "" if c else text,
                Text(visible(name)),
                fixed_point(float(record.evidence[c])),
                *([] if exact else [_bounds(record, c)]),
                probability(float(record.prior[c])),
                probability(float(record.posterior[c])),
                style=BOLD if c == likeliest else None,
            )
        table.add_row("", "mixture", fixed_point(record.total), *([] if exact else [""]), "", "", style=DIM)
        table.add_section()
    return table


def _bounds(record: MixturePosterior, c: int) -> str:
    low, high = fixed_point(float(record.low[c])), fixed_point(float(record.high[c]))
    return "" if low == high else f"{low} … {high}"
