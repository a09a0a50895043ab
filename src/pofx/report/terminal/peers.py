"""The number that another tool prints for a text, in a terminal, and the terms that the number is made of."""

from __future__ import annotations

from rich.console import Group
from rich.style import Style
from rich.table import Table
from rich.text import Text

from pofx.queries.scoring.peers import PeerScore, PeerTerm
from pofx.report.numerals import fixed_point, significant_digits, with_commas
from pofx.report.sums import addends
from pofx.report.terminal.cells import BOLD, DIM, make_table, make_token_cell
from pofx.report.visible import visible

HEAD, TAIL = 40, 20


def peer_table(score: PeerScore) -> Group:
    """Return the number in the tool's own unit, a note on the terms of the number, and a row for each term.

    A column says whether the tool counts the term.
    """
    title = Text(f"{score.peer}: {peer_value(score)} {score.unit}", BOLD)
    return Group(title, Text(visible(score.note), DIM), _terms(score))


def peer_value(score: PeerScore) -> str:
    """Return the number as text: a perplexity with six digits, a log with six decimals."""
    if score.statistic == "perplexity":
        return significant_digits(score.value, 6)
    return fixed_point(score.value, 6)


def _terms(score: PeerScore) -> Table:
    table = make_table()
    table.add_column("i", justify="right", style=DIM, no_wrap=True)
    table.add_column("token", min_width=16)
    table.add_column("log p", justify="right", no_wrap=True)
    table.add_column(f"in {score.peer}'s number", no_wrap=True)
    n = len(score.terms)
    hidden = n - HEAD - TAIL if n > HEAD + TAIL else 0
    shown = _log_probs(score)
    for k, term in enumerate(score.terms):
        if hidden and k == HEAD:
            table.add_row("…", Text(f"{with_commas(hidden)} hidden", DIM))
        if not hidden or not HEAD <= k < HEAD + hidden:
            table.add_row(with_commas(k + 1), *_cells(term, shown[k]))
    return table


def _log_probs(score: PeerScore) -> list[str]:
    """Return log p of each term as text. The counted terms of a sum have the decimals of the sum, and add up to it."""
    if score.statistic != "sum":
        return [fixed_point(t.nats) for t in score.terms]
    counted = iter(addends([t.nats for t in score.terms if t.counted and t.nats is not None], score.value, 6))
    return [
        next(counted) if t.counted and t.nats is not None else fixed_point(t.nats, 6) for t in score.terms
    ]


def _cells(term: PeerTerm, nats: str) -> list[Text]:
    counted = "yes" if term.counted else ("no" if term.nats is not None else "no, not computed")
    return [
        make_token_cell(visible(term.token)),
        Text(nats),
        Text(counted, Style() if term.counted else DIM),
    ]
