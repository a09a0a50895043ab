"""The distribution of the next token, byte, character or word as a table in a terminal."""

from __future__ import annotations

import math

from rich.style import Style
from rich.table import Table
from rich.text import Text

from pofx.queries.next_unit.next import Next
from pofx.report.numerals import fixed_point, probability, significant_digits
from pofx.report.terminal.cells import DIM, make_table, make_token_cell
from pofx.report.visible import visible
from pofx.units import bits, count_noun

BAR = 12


def next_table(following: Next) -> Table:
    """Return the likeliest outcomes, best first, then all others in one row, so that the column of p sums to 1.

    Where the written bounds of an outcome differ, two columns hold the bounds. The caption is the entropy.
    """
    bounded = any(probability(a.low) != probability(a.high) for a in following.top)
    table = make_table(caption=Text(_entropy_note(following), DIM), caption_justify="left")
    table.add_column("", justify="right", style=DIM, no_wrap=True)
    table.add_column(f"next {following.unit}", min_width=10)
    table.add_column("p", justify="right", no_wrap=True)
    if bounded:
        table.add_column("at least", justify="right", style=DIM, no_wrap=True)
        table.add_column("at most", justify="right", style=DIM, no_wrap=True)
    table.add_column("log p", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)

    def add_row(number: str, name: Text, logp: float, low: float, high: float) -> None:
        bounds = [probability(low), probability(high)] if bounded else []
        table.add_row(number, name, probability(logp), *bounds, fixed_point(logp), _bar(logp))

    for k, outcome in enumerate(following.top, start=1):
        name = make_token_cell(visible(outcome.shown), Style(italic=True) if outcome.bytes is None else "")
        add_row(str(k), name, outcome.logp, outcome.low, outcome.high)
    if following.n_rest is None or following.n_rest:
        rest = Text("others" if following.n_rest is None else count_noun(following.n_rest, "other"), DIM)
        add_row("…", rest, following.rest, following.rest_low, following.rest_high)
    return table


def _entropy_note(following: Next) -> str:
    low, high = following.entropy_low, following.entropy_high
    if fixed_point(low) == fixed_point(high):
        note = f"entropy {fixed_point(following.entropy)} nats = {significant_digits(bits(following.entropy))} bits"
    elif math.isinf(high):
        note = f"entropy ≥ {fixed_point(low)} nats = {significant_digits(bits(low))} bits"
    else:
        note = f"entropy {fixed_point(low)} to {fixed_point(high)} nats"
    if following.n_rest is None:
        note += f"; each of the others has p ≤ {probability(following.others_below)}"
    return note


def _bar(logp: float) -> Text:
    """Return a bar for p, whose length is a whole number of eighths of a column."""
    eighths = round(8 * BAR * math.exp(logp))
    return Text("█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip(), DIM)
