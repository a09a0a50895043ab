"""Texts under a condition as a table in a terminal, and below the table the probability of the condition."""

from __future__ import annotations

from rich.console import Group
from rich.text import Text

from pofx.queries.conditioning.conditioned import Conditioned
from pofx.report.numerals import fixed_point, probability, significant_digits, with_commas
from pofx.report.terminal.cells import DIM, make_table
from pofx.report.visible import excerpt, visible_bytes
from pofx.units import count_noun

METHODS = {
    "enumeration": "exact: every text was gone through",
    "forward-backward": "exact, by forward–backward",
    "smc": "sequential Monte Carlo",
}


def conditioned_table(record: Conditioned, outcome: str = "text", most: int = 10) -> Group:
    """Return the likeliest outcomes with their probabilities and standard errors, and the lines of evidence and method.

    Args:
        record: The texts under the condition.
        outcome: The heading of the column of outcomes.
        most: The most outcomes that are shown; a last row holds the mass of all others.
    """
    table = make_table()
    table.add_column("", justify="right", style=DIM, no_wrap=True)
    table.add_column(outcome, overflow="fold", min_width=24)
    table.add_column("p", justify="right", no_wrap=True)
    estimated = any(o.se for o in record.outcomes)
    if estimated:
        table.add_column("± se", justify="right", no_wrap=True)
    for k, o in enumerate(record.outcomes[:most], start=1):
        shown = Text(visible_bytes(o.bytes)) if o.bytes else Text("(empty)", DIM)
        error = [significant_digits(o.se)] if estimated else []
        table.add_row(str(k), shown, significant_digits(o.p), *error)
    rest = 1 - sum(o.p for o in record.outcomes[:most])
    if rest > 1e-9:
        hidden = len(record.outcomes) - most
        shown = Text(f"others, {with_commas(hidden)} of them drawn" if hidden > 0 else "others", DIM)
        table.add_row("…", shown, significant_digits(rest))
    return Group(table, evidence_line(record), method_line(record))


def evidence_line(record: Conditioned) -> Text:
    """Return the log P of the condition in nats, with its standard error where P is estimated, and P itself."""
    prefix = f" | {excerpt(record.given, 40)!r}" if len(record.given) else ""
    error = "" if record.exact else f" ± {significant_digits(record.se, 2)}"
    log_p, p = fixed_point(record.log_evidence), probability(record.log_evidence)
    return Text(f"log P({record.on}{prefix}) = {log_p}{error} nats; P = {p}", no_wrap=False)


def method_line(record: Conditioned) -> Text:
    """Return the method, the number of its draws, and the limit on the length of texts."""
    parts = [METHODS[record.method]]
    if record.method == "smc":
        parts.append(
            f"{count_noun(len(record.runs), 'run')}, {count_noun(len(record.draws), 'weighted draw')}"
        )
    elif record.method == "forward-backward":
        parts.append(count_noun(len(record.draws), "independent draw"))
    if record.ess is not None and record.method == "smc":
        parts.append(f"effective number {significant_digits(record.ess)}")
    parts.append(f"texts of at most {count_noun(record.max_tokens, 'token')}")
    return Text("; ".join(parts), style=DIM)
