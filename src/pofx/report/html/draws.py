"""Draws from p as a section of a page."""

from __future__ import annotations

from collections.abc import Sequence

from pofx.queries.sample import Draw
from pofx.report.html.sections import Fragment, Section, text
from pofx.report.numerals import fixed_point, significant_digits, typeset
from pofx.units import bits_per_byte, count_noun


def draws_section(draws: Sequence[Draw], title: str = "Draws from p") -> Section:
    """Every draw with its log p, its bits per byte, and whether EOS ended it.

    Args:
        draws: The draws.
        title: The heading of the section.
    """
    return Section(title, (draws_fragment(draws),))


def draws_fragment(draws: Sequence[Draw]) -> Fragment:
    """Return the draws as a fragment, to stand among paragraphs."""
    return Fragment(f'<ol class="draws">{"".join(_item(d) for d in draws)}</ol>')


def _item(draw: Draw) -> str:
    lines = draw.bytes.split(b"\n")
    shown = "\n".join(text(line) for line in lines) if draw.bytes else '<span class="empty">(empty)</span>'
    name = "log <var>p</var>" if draw.ended else "log <var>P</var>"
    if draw.warp:
        name = name.replace("p</var>", "q</var>").replace("P</var>", "Q</var>")
    facts = [f"{name} = {typeset(fixed_point(draw.total))} nats"]
    if draw.warp:
        facts.append(f"<var>q</var>: <var>p</var> at {text(draw.warp)}, renormalised token by token")
    if draw.own_total is not None:
        own = "log <var>p</var>" if draw.ended else "log <var>P</var>"
        facts.append(f"{own} = {typeset(fixed_point(draw.own_total))} nats")
    if draw.bytes:
        facts.append(f"{significant_digits(bits_per_byte(-draw.total, len(draw.bytes)))} bits per byte")
    facts.append(count_noun(len(draw.tokens), "token"))
    facts.append("ended by EOS" if draw.ended else "<b>cut off</b>: a draw of a prefix, not of <var>p</var>")
    end = '<span class="eos">EOS</span>' if draw.ended else ""
    facts_line = "".join(f"<span>{f}</span>" for f in facts)
    return f'<li><div class="draw" dir="auto">{shown}{end}</div><p class="facts">{facts_line}</p></li>'
