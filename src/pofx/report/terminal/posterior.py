"""Which model each text is from, as a table for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.style import Style
from rich.table import Table
from rich.text import Text

from pofx.queries.posterior import MixturePosterior
from pofx.report.numerals import fixed, probability
from pofx.report.visible import excerpt, visible

DIM = Style(dim=True)
BOLD = Style(bold=True)


def posterior_table(found: Sequence[MixturePosterior], names: Sequence[str]) -> Table:
    """Under each text its models: log p of the text, its bounds where they are seen to differ, prior and posterior; then the
    mixture. names: of the models, in its order."""
    known = not any(_bounds(r, c) for r in found for c in range(len(names)))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("text", overflow="ellipsis", min_width=8)
    table.add_column("model", overflow="fold")
    table.add_column("log p", justify="right", no_wrap=True)
    if not known:
        table.add_column("bounds", justify="right", style=DIM, no_wrap=True)
    table.add_column("prior", justify="right", no_wrap=True)
    table.add_column("posterior", justify="right", no_wrap=True)
    for record in found:
        likeliest = int(record.posterior.argmax())
        text = Text(excerpt(record.text) or "(empty)", no_wrap=True)
        for c, name in enumerate(names):
            table.add_row(
                "" if c else text,
                Text(visible(name)),
                fixed(float(record.evidence[c])),
                *([] if known else [_bounds(record, c)]),
                probability(float(record.prior[c])),
                probability(float(record.posterior[c])),
                style=BOLD if c == likeliest else None,
            )
        table.add_row("", "mixture", fixed(record.total), *([] if known else [""]), "", "", style=DIM)
        table.add_section()
    return table


def _bounds(record: MixturePosterior, c: int) -> str:
    low, high = fixed(float(record.low[c])), fixed(float(record.high[c]))
    return "" if low == high else f"{low} … {high}"
