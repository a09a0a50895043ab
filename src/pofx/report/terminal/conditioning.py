"""Texts given a condition as a table for a terminal, and below it how probable the condition is."""

from __future__ import annotations

from rich import box
from rich.console import Group
from rich.style import Style
from rich.table import Table
from rich.text import Text

from pofx.queries.conditioning.conditioned import Conditioned
from pofx.report.numerals import count_noun, fixed, probability, significant, whole
from pofx.report.visible import excerpt, visible_bytes

DIM = Style(dim=True)
METHODS = {
    "enumeration": "exact: every text was gone through",
    "forward-backward": "exact, by forward–backward",
    "smc": "sequential Monte Carlo",
}


def conditioned_table(found: Conditioned, what: str = "text", most: int = 10) -> Group:
    """The likeliest outcomes, each with its probability and the standard error of that; the evidence and its own."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", justify="right", style=DIM, no_wrap=True)
    table.add_column(what, overflow="fold", min_width=24)
    table.add_column("p", justify="right", no_wrap=True)
    estimated = any(o.se for o in found.outcomes)
    if estimated:
        table.add_column("± se", justify="right", no_wrap=True)
    for k, o in enumerate(found.outcomes[:most], start=1):
        shown = Text(visible_bytes(o.bytes)) if o.bytes else Text("(empty)", DIM)
        table.add_row(str(k), shown, significant(o.p), *([significant(o.se)] if estimated else []))
    rest = 1 - sum(o.p for o in found.outcomes[:most])
    if rest > 1e-9:
        hidden = len(found.outcomes) - most
        shown = Text(f"others, {whole(hidden)} of them drawn" if hidden > 0 else "others", DIM)
        table.add_row("…", shown, significant(rest))
    return Group(table, evidence_line(found), basis_line(found))


def evidence_line(found: Conditioned) -> Text:
    """log P of the condition, and P itself."""
    behind = f" | {excerpt(found.given, 40)!r}" if len(found.given) else ""
    error = "" if found.exact else f" ± {significant(found.se, 2)}"
    line = f"log P({found.on}{behind}) = {fixed(found.log_evidence)}{error} nats; P = {probability(found.log_evidence)}"
    return Text(line, no_wrap=False)


def basis_line(found: Conditioned) -> Text:
    """What the numbers rest on."""
    parts = [METHODS[found.method]]
    if found.method == "smc":
        parts.append(f"{count_noun(len(found.runs), 'run')}, {count_noun(len(found.draws), 'weighted draw')}")
    elif found.method == "forward-backward":
        parts.append(count_noun(len(found.draws), "independent draw"))
    if found.ess is not None and found.method == "smc":
        parts.append(f"effective number {significant(found.ess)}")
    parts.append(f"texts of at most {count_noun(found.max_tokens, 'token')}")
    return Text("; ".join(parts), style=DIM)
