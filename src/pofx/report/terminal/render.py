"""Records as rich renderables. Nothing is printed here; texts are `Text`, so no text can be taken for markup.

Every number that a colour shows is also written in a table, so that NO_COLOR loses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich import box
from rich.console import Group
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text

from pofx.queries.findings import Audit, Finding
from pofx.queries.next_unit.next import Next
from pofx.queries.sample import Draw
from pofx.queries.scoring.score import Scored
from pofx.report import heat
from pofx.report.chain import Factor, factors, total
from pofx.report.numerals import count_noun, fixed, probability, significant, trimmed, whole
from pofx.report.pieces import pieces
from pofx.report.verdicts import AUDIT_SYMBOL, GLOSS, SYMBOL, begin_evidence, tally
from pofx.report.visible import NEWLINE, visible, visible_bytes
from pofx.report.x0_tables import (
    END_HEADINGS,
    END_NOTE,
    HEADINGS,
    candidate_note,
    candidate_row,
    candidates_note,
    ending_row,
)
from pofx.units import bits, bits_per_byte

SHOWN = 60
HEAD, TAIL = 40, 20
HEAT_LIMIT = 5000
DIM = Style(dim=True)
BOLD = Style(bold=True)
WIDEST_TOKEN = 32
BAR = 12


def chain_table(scored: Scored) -> Table:
    """The chain rule as a table: i, token, p, log p, sum, rank, entropy; nats. EOS last, the total below.

    Above 60 tokens the middle is left out, and said to be; the sums are of all.
    """
    n = len(scored.logp)
    sum_up = total(scored)
    table = Table(box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False)
    table.add_column("i", justify="right", style=DIM, no_wrap=True)
    # Wrappable for rich, so that it is this column that gives way; its cells never wrap.
    table.add_column("token", Text(f"Σ = {sum_up.name}", no_wrap=True), min_width=16)
    table.add_column("p(xi|x<i)", justify="right", no_wrap=True)
    table.add_column("log p", justify="right", no_wrap=True)
    table.add_column("sum", fixed(sum_up.value), justify="right", no_wrap=True)
    if scored.rank is not None:
        table.add_column("rank", justify="right", no_wrap=True)
    if scored.entropy is not None:
        table.add_column("entropy", justify="right", no_wrap=True)
    hidden = len(scored.tokens) - HEAD - TAIL if len(scored.tokens) > SHOWN else 0
    head = HEAD if hidden else n
    for row in factors(scored, range(head)):
        table.add_row(*_cells(row))
    if hidden:
        table.add_row("…", Text(f"{whole(hidden)} hidden", style=DIM, no_wrap=True))
        for row in factors(scored, range(HEAD + hidden, n)):
            table.add_row(*_cells(row))
    return table


def heat_text(scored: Scored, limit: int = HEAT_LIMIT) -> Text:
    """The text, every character once, on a background that says its surprisal; ∎ is EOS.

    The tokens of one character share it; control characters are written by name. After `limit` tokens the
    number left out is said.
    """
    out = Text(overflow="fold")
    shown = 0
    for piece in pieces(scored, limit):
        shown = piece.hi
        style = _shade(piece.surprisal)
        seen = visible_bytes(piece.data)
        # A line of the text ends a line on the screen as well.
        for k, part in enumerate(seen.split(NEWLINE)) if b"\n" in piece.data else [(0, seen)]:
            if k:
                out.append(NEWLINE, style)
                out.append("\n")
            out.append(part, style)
    if shown < len(scored.tokens):
        out.append(f"\n… {count_noun(len(scored.tokens) - shown, 'token')} more", DIM)
    elif len(scored.logp) > len(scored.tokens):
        out.append("∎", _shade(-float(scored.logp[-1])))
    return out


def legend() -> Text:
    """The heat scale on one line."""
    out = Text().append("surprisal, nats  ", DIM)
    for i, label in enumerate(heat.LABELS):
        out.append(f" {label} ", _style(i))
    out.append("  ∎ EOS", DIM)
    return out


def score_panel(scored: Scored) -> Group:
    """What the number is and what is in it: log p in nats, bits per byte, and the terms."""
    sum_up = total(scored)
    title = Text()
    title.append(f"{sum_up.name} = {fixed(sum_up.value)} nats", BOLD)
    if scored.terms.bytes:
        title.append(f"  ·  {significant(sum_up.bits_per_byte)} bits per byte")
    title.append(f"  ·  {sum_up.what}", DIM)
    return Group(title, Text(visible(str(scored.terms)), DIM))


def next_table(law: Next) -> Table:
    """The likeliest outcomes, best first, then all others together: p sums to 1. Bounds of p where there are any."""
    bounded = any(probability(a.low) != probability(a.high) for a in law.top)
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, caption=Text(_next_note(law), DIM), caption_justify="left"
    )
    table.add_column("", justify="right", style=DIM, no_wrap=True)
    table.add_column(f"next {law.unit}", min_width=10)
    table.add_column("p", justify="right", no_wrap=True)
    if bounded:
        table.add_column("at least", justify="right", style=DIM, no_wrap=True)
        table.add_column("at most", justify="right", style=DIM, no_wrap=True)
    table.add_column("log p", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)

    def row(number: str, name: Text, p: float, low: float, high: float) -> None:
        bounds = [probability(low), probability(high)] if bounded else []
        table.add_row(number, name, probability(p), *bounds, fixed(p), _bar(p))

    for k, outcome in enumerate(law.top, start=1):
        name = _token(visible(outcome.shown), outcome.bytes is None)
        row(str(k), name, outcome.logp, outcome.low, outcome.high)
    if law.n_rest is None or law.n_rest:
        rest = Text("others" if law.n_rest is None else count_noun(law.n_rest, "other"), DIM)
        row("…", rest, law.rest, law.rest_low, law.rest_high)
    return table


def _next_note(law: Next) -> str:
    low, high = law.entropy_low, law.entropy_high
    if fixed(low) == fixed(high):
        note = f"entropy {fixed(law.entropy)} nats = {significant(bits(law.entropy))} bits"
    elif math.isinf(high):
        note = f"entropy ≥ {fixed(low)} nats = {significant(bits(low))} bits"
    else:
        note = f"entropy {fixed(low)} to {fixed(high)} nats"
    if law.n_rest is None:
        note += f"; each of the others has p ≤ {probability(law.others_below)}"
    return note


def draws_table(draws: Sequence[Draw]) -> Table:
    """Draws with their log-probabilities; one that was cut off at max_tokens is no draw of p, and says so.

    Draws of a warped law q say so above, and have log q beside the model's own log p.
    """
    warp = draws[0].warp if draws else ""
    title = Text(f"draws from q: p at {warp}, renormalised token by token", DIM) if warp else None
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, leading=1, title=title, title_justify="left")
    table.add_column("", justify="right", style=DIM, no_wrap=True)
    table.add_column("draw", overflow="fold", ratio=1)
    table.add_column("log q" if warp else "log p", justify="right", no_wrap=True)
    if warp:
        table.add_column("log p", justify="right", no_wrap=True)
    table.add_column("bits/byte", justify="right", no_wrap=True)
    table.add_column("end", no_wrap=True)
    for k, draw in enumerate(draws, start=1):
        per_byte = bits_per_byte(-draw.total, len(draw.bytes))
        table.add_row(
            str(k),
            Text(visible_bytes(draw.bytes)) if draw.bytes else Text("(empty)", DIM),
            fixed(draw.total),
            *([] if not warp else ["" if draw.own_total is None else fixed(draw.own_total)]),
            significant(per_byte) if draw.bytes else "",
            "EOS" if draw.ended else Text("cut off", BOLD),
        )
    return table


def audit_table(audit: Audit) -> Group:
    """A check a paragraph: its outcome as symbol and word, its name, value and bound; below, in full width, why."""
    return findings_table(audit.findings)


def findings_table(findings: Sequence[Finding]) -> Group:
    """The same of any findings."""
    return Group(*[part for finding in findings for part in _finding(finding)])


def _finding(finding: Finding) -> list[Table | Padding]:
    head = Table.grid(expand=True, padding=(0, 1, 0, 0))
    head.add_column(no_wrap=True, width=7)
    head.add_column(ratio=1)
    head.add_column(justify="right", no_wrap=True)
    loud = finding.verdict != "pass"
    numbers = f"{significant(finding.value)} {visible(finding.unit)}" if finding.value is not None else ""
    if finding.bound is not None:
        numbers += f" (bound {trimmed(finding.bound)})"
    head.add_row(
        Text(f"{SYMBOL[finding.verdict]} {finding.verdict}", BOLD if loud else Style()),
        Text(visible(finding.check), BOLD),
        numbers,
    )
    return [head, Padding(Text(visible(finding.why), DIM), (0, 0, 1, 8))]


def audit_candidates(audit: Audit) -> Group:
    """What may stand for x0 and for EOS of a pretrained model, each with its evidence; nothing for our own models."""
    parts: list[Table | Text] = []
    if audit.candidates:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        for k, heading in enumerate(HEADINGS):
            table.add_column(heading, justify="right" if k > 2 else "left", overflow="fold")
        for c in audit.candidates:
            table.add_row(
                *(Text(visible(cell)) for cell in candidate_row(c)), style=BOLD if c.current else None
            )
        parts += [table, Text(candidates_note(audit), DIM), Text()]
        for c in audit.candidates:
            if c.top and c.role != "twice":
                shown = Text(f"p(x1|{visible(c.name)})  ", no_wrap=True, overflow="ellipsis")
                parts.append(shown.append(visible(candidate_note(c)), DIM))
    if audit.endings:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for k, heading in enumerate(END_HEADINGS):
            table.add_column(heading, justify="right" if k > 1 else "left", overflow="fold")
        for e in audit.endings:
            table.add_row(*(Text(visible(cell)) for cell in ending_row(e)), style=BOLD if e.current else None)
        parts += [table, Text(END_NOTE, DIM)]
    return Group(*parts)


def audit_headline(audit: Audit) -> Group:
    """The verdict and what it means, the reason, the evidence for x0, and how many checks passed."""
    verdict = Text(f"{AUDIT_SYMBOL[audit.verdict]} {audit.verdict}", BOLD)
    verdict.append(f"  {GLOSS[audit.verdict]}", Style(bold=False, dim=True))
    lines = [verdict, Text(visible(audit.reason))]
    lines += [Text(visible(begin_evidence(audit.begin)))] if audit.begin and not audit.candidates else []
    of = f" on {count_noun(audit.documents, 'document')}" if audit.documents else ""
    lines.append(Text(f"{tally(audit)}{of}; seed {audit.seed}", DIM))
    return Group(*lines)


def _cells(row: Factor) -> list[str | Text]:
    cells: list[str | Text] = [
        whole(row.i),
        _token(row.token, row.is_end),
        probability(row.logp),
        fixed(row.logp),
        fixed(row.running),
    ]
    cells += [] if row.rank is None else [whole(row.rank)]
    cells += [] if row.entropy is None else [fixed(row.entropy)]
    return cells


def _token(name: str, control: bool) -> Text:
    text = Text(name, Style(italic=True) if control else "", no_wrap=True, overflow="ellipsis")
    text.truncate(WIDEST_TOKEN, overflow="ellipsis")
    return text


def _shade(surprisal: float) -> Style:
    return _style(heat.shade(surprisal))


def _style(step: int) -> Style:
    colour = heat.TERMINAL[step]
    return Style(color=heat.TERMINAL_INK, bgcolor=colour) if colour else Style()


def _bar(logp: float) -> Text:
    """p as a bar of eighths of a column."""
    eighths = round(8 * BAR * math.exp(logp))
    return Text("█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip(), DIM)
