"""What another tool prints for a text, as rich renderables: the number, and which terms are in it."""

from __future__ import annotations

from rich import box
from rich.console import Group
from rich.style import Style
from rich.table import Table
from rich.text import Text

from pofx.queries.scoring.peers import PeerScore, PeerTerm
from pofx.report.numerals import fixed, significant, whole
from pofx.report.visible import visible

HEAD, TAIL = 40, 20
DIM = Style(dim=True)
BOLD = Style(bold=True)


def peer_table(score: PeerScore) -> Group:
    """The number in the tool's own unit and what it is made of; below, a term a line, those left out named so."""
    title = Text(f"{score.peer}: {peer_value(score)} {score.unit}", BOLD)
    return Group(title, Text(visible(score.note), DIM), _terms(score))


def peer_value(score: PeerScore) -> str:
    """The number as it is written: six decimals of a log, six digits of a perplexity."""
    return significant(score.value, 6) if score.unit.startswith("perplexity") else fixed(score.value, 6)


def _terms(score: PeerScore) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("i", justify="right", style=DIM, no_wrap=True)
    table.add_column("token", min_width=16)
    table.add_column("log p", justify="right", no_wrap=True)
    table.add_column(f"in {score.peer}'s number", no_wrap=True)
    n = len(score.terms)
    hidden = n - HEAD - TAIL if n > HEAD + TAIL else 0
    for k, term in enumerate(score.terms):
        if hidden and k == HEAD:
            table.add_row("…", Text(f"{whole(hidden)} hidden", DIM))
        if not hidden or not HEAD <= k < HEAD + hidden:
            table.add_row(whole(k + 1), *_cells(term))
    return table


def _cells(term: PeerTerm) -> list[Text]:
    name = Text(visible(term.token), no_wrap=True, overflow="ellipsis")
    name.truncate(32, overflow="ellipsis")
    why = "yes" if term.counted else ("no" if term.nats is not None else "no, not computed")
    return [name, Text(fixed(term.nats)), Text(why, Style() if term.counted else DIM)]
