"""The log p(x) of a text in a terminal: the sum, the chain rule as a table, and the text on a heat scale.

Every number that a colour shows also stands in a table, so that NO_COLOR loses nothing. Texts become `Text`, so no text
can be taken for markup.
"""

from __future__ import annotations

from rich.console import Group
from rich.style import Style
from rich.table import Table
from rich.text import Text

from pofx.queries.scoring.score import Scored
from pofx.report import heat
from pofx.report.chain import Factor, factors, total
from pofx.report.numerals import fixed_point, probability, significant_digits, to_number, with_commas
from pofx.report.pieces import pieces
from pofx.report.terminal.cells import BOLD, DIM, make_table, make_token_cell
from pofx.report.visible import NEWLINE, visible, visible_bytes
from pofx.units import count_noun

SHOWN = 60
HEAD, TAIL = 40, 20
HEAT_LIMIT = 5000


def chain_table(scored: Scored) -> Table:
    """Return the chain rule as a table, a token a row, EOS last, and the total below.

    The columns are i, token, p, log p, running sum (nats), and the rank and the entropy (nats) where the record has these.
    A text of more than 60 tokens loses the rows of its middle, and a row has their number and their sum. The sums cover all
    tokens. The written terms add up to the written sums, so the last digit of a term may differ from its own rounding.
    """
    n = len(scored.logp)
    text_total = total(scored)
    table = make_table(show_footer=True)
    table.add_column("i", justify="right", style=DIM, no_wrap=True)
    # Rich narrows a column that may wrap. Only this column may wrap, and its cells never do.
    table.add_column("token", Text(f"Σ = {text_total.name}", no_wrap=True), min_width=16)
    table.add_column("p(xi|x<i)", justify="right", no_wrap=True)
    table.add_column("log p", justify="right", no_wrap=True)
    table.add_column("sum", fixed_point(text_total.value), justify="right", no_wrap=True)
    if scored.rank is not None:
        table.add_column("rank", justify="right", no_wrap=True)
    if scored.entropy is not None:
        table.add_column("entropy", justify="right", no_wrap=True)
    hidden = len(scored.tokens) - HEAD - TAIL if len(scored.tokens) > SHOWN else 0
    head = HEAD if hidden else n
    for factor in factors(scored, range(head)):
        table.add_row(*_cells(factor))
    if hidden:
        first, last = factors(scored, (HEAD - 1, HEAD + hidden - 1))
        sums = [to_number(f.shown[1]) for f in (first, last)]
        note = Text(f"{with_commas(hidden)} hidden", style=DIM, no_wrap=True)
        table.add_row(
            "…", note, "", Text(fixed_point(sums[1] - sums[0]), style=DIM), Text(last.shown[1], style=DIM)
        )
        for factor in factors(scored, range(HEAD + hidden, n)):
            table.add_row(*_cells(factor))
    return table


def heat_text(scored: Scored, limit: int = HEAT_LIMIT) -> Text:
    """Return the text on a background that shows its surprisal, every character once; ∎ is EOS.

    Tokens that spell parts of one character share its background. A control character is written by its name.

    Args:
        scored: The text.
        limit: The most tokens that are shown; a last line has the number of the others.
    """
    out = Text(overflow="fold")
    shown = 0
    for piece in pieces(scored, limit):
        shown = piece.hi
        style = _style(heat.shade(piece.surprisal))
        written = visible_bytes(piece.data)
        # A line of the text ends a line on the screen as well.
        lines = written.split(NEWLINE) if b"\n" in piece.data else [written]
        for k, line in enumerate(lines):
            if k:
                out.append(NEWLINE, style)
                out.append("\n")
            out.append(line, style)
    if shown < len(scored.tokens):
        out.append(f"\n… {count_noun(len(scored.tokens) - shown, 'token')} more", DIM)
    elif len(scored.logp) > len(scored.tokens):
        out.append("∎", _style(heat.shade(-float(scored.logp[-1]))))
    return out


def legend() -> Text:
    """Return the heat scale on one line."""
    out = Text().append("surprisal, nats  ", DIM)
    for step, label in enumerate(heat.LABELS):
        out.append(f" {label} ", _style(step))
    out.append("  ∎ EOS", DIM)
    return out


def score_panel(scored: Scored) -> Group:
    """Return the total in nats and in bits per byte, the name of the number, and its terms."""
    text_total = total(scored)
    title = Text()
    title.append(f"{text_total.name} = {fixed_point(text_total.value)} nats", BOLD)
    if scored.terms.bytes:
        title.append(f"  ·  {significant_digits(text_total.bits_per_byte)} bits per byte")
    title.append(f"  ·  {text_total.description}", DIM)
    return Group(title, Text(visible(str(scored.terms)), DIM))


def _cells(factor: Factor) -> list[str | Text]:
    cells: list[str | Text] = [
        with_commas(factor.i),
        make_token_cell(factor.token, Style(italic=True) if factor.is_end else ""),
        probability(factor.logp),
        *factor.shown,
    ]
    cells += [] if factor.rank is None else [with_commas(factor.rank)]
    cells += [] if factor.entropy is None else [fixed_point(factor.entropy)]
    return cells


def _style(step: int) -> Style:
    colour = heat.TERMINAL[step]
    return Style(color=heat.TERMINAL_INK, bgcolor=colour) if colour else Style()
