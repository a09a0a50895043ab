"""log p(x), term by term, as a section of a page."""

from __future__ import annotations

from collections.abc import Sequence

from pofx.queries.scoring.score import Scored
from pofx.report import heat
from pofx.report.chain import Factor, factors, total
from pofx.report.html import charts
from pofx.report.html.heat_text import heat_html
from pofx.report.html.sections import Fragment, Numeral, Section, scrolling, table, text
from pofx.report.numerals import fixed_point, probability, significant_digits, typeset, with_commas
from pofx.report.visible import excerpt
from pofx.units import count_noun

ROWS = 200
FACTOR = "<var>p</var>(<var>x<sub>i</sub></var>|<var>x</var><sub>&lt;<var>i</var></sub>)"
# A chain of at most so many factors is shown open.
OPEN = 12


def score_section(scored_list: Sequence[Scored], title: str = "log p(x), term by term") -> Section:
    """Each text with its total, its heat text, its surprisals as bars, and its chain of factors.

    Several texts have a table before them that compares their totals.

    Args:
        scored_list: The texts. Entropy, rank and likeliest tokens are shown where the records have them.
        title: The heading of the section.
    """
    blocks = [] if len(scored_list) < 2 else [_comparison(scored_list)]
    return Section(title, (*blocks, *(score_fragment(s) for s in scored_list)))


def score_fragment(scored: Scored) -> Fragment:
    """One text: the total, the formula, the heat text, the bars and the chain table."""
    drawing = charts.surprisals(scored.logp, scored.entropy, len(scored.logp) > len(scored.tokens))
    return Fragment(
        f'<article class="scored">{_headline(scored)}{heat_html(scored, drawing)}{_chain(scored)}</article>'
    )


def formula(complete: bool, conditional: bool) -> str:
    """Return the chain rule as HTML.

    Args:
        complete: Whether the text is complete, so that EOS is a factor.
        conditional: Whether the text is conditioned on a prefix.
    """
    given = '<span class="fn">given</span>'
    x0 = f"{given}, " if conditional else ""
    x = "<var>x</var>"
    left = f"log {'<var>p</var>' if complete else '<var>P</var>'}({x}{' | ' + given if conditional else ''})"
    each = (
        '<span class="sum">Σ<sub><var>i</var></sub></span> log <var>p</var>'
        f"({x}<sub><var>i</var></sub> | {x0}{x}<sub>&lt;<var>i</var></sub>)"
    )
    last = f' <span class="nowrap">+ log <var>p</var>(EOS | {x0}{x})</span>' if complete else ""
    left, each = f'<span class="nowrap">{left} =</span>', f'<span class="nowrap">{each}</span>'
    return f'<p class="formula">{left} {each}{last}</p>'


def chain_table_html(scored: Scored, rows: int = ROWS) -> str:
    """Return the chain rule as a table, a token a row, EOS last, and the total below.

    Args:
        scored: The text.
        rows: The most tokens that are shown; a row says how many more there are. The sums are of all tokens.
    """
    n = len(scored.logp)
    tokens = len(scored.tokens)
    head = min(tokens, rows)
    columns = ["log <var>p</var>", "sum"]
    columns += ["rank"] if scored.rank is not None else []
    columns += ["entropy"] if scored.entropy is not None else []
    body = [_row(f) for f in factors(scored, range(head))]
    if tokens > head:
        note = f"… {count_noun(tokens - head, 'more token')}, counted in the sums"
        body.append(f'<tr class="more"><td></td><td colspan="{len(columns) + 2}">{note}</td></tr>')
    body += [_row(f) for f in factors(scored, range(tokens, n))]
    text_total = total(scored)
    empty = "<td></td>" * (len(columns) - 2)
    foot = (
        f'<tr><td></td><th scope="row" colspan="3">Σ = {_italic(text_total.name)}</th>'
        f'<td class="n">{typeset(fixed_point(text_total.value))}</td>{empty}</tr>'
    )
    heads = "".join(f'<th scope="col" class="n">{c}</th>' for c in columns)
    return scrolling(
        '<table class="chain"><thead><tr><th scope="col" class="n"><var>i</var></th>'
        f'<th scope="col">token</th><th scope="col" class="n">{FACTOR}</th>{heads}'
        f"</tr></thead><tbody>{''.join(body)}</tbody><tfoot>{foot}</tfoot></table>",
        "chain of factors",
    )


def _headline(scored: Scored) -> str:
    text_total = total(scored)
    per_byte = (
        f'<span class="per"><b>{typeset(significant_digits(text_total.bits_per_byte))}</b> bits per byte</span>'
        if scored.terms.bytes
        else ""
    )
    prefix = "" if text_total.complete else '<span class="per">prefix probability, no EOS term</span>'
    given = f'<p class="note">after: {text(excerpt(scored.given))}</p>' if scored.given else ""
    return (
        f'<p class="total"><span>{_italic(text_total.name)} = <b>{typeset(fixed_point(text_total.value))}</b> nats</span>'
        f"{per_byte}{prefix}</p>"
        f"{formula(text_total.complete, scored.terms.given_bytes > 0)}"
        f'<p class="terms">{text(str(scored.terms))}</p>{given}'
    )


def _chain(scored: Scored) -> str:
    n = len(scored.logp)
    opened = " open" if n <= OPEN else ""
    return (
        f"<details{opened}><summary>The chain, factor by factor "
        f"<small>{count_noun(n, 'factor')}</small></summary>{chain_table_html(scored)}</details>"
    )


def _row(f: Factor) -> str:
    kind = ' class="eos"' if f.is_end else ""
    numbers = [probability(f.logp), fixed_point(f.logp), fixed_point(f.running)]
    numbers += [] if f.rank is None else [with_commas(f.rank)]
    numbers += [] if f.entropy is None else [fixed_point(f.entropy)]
    cells = "".join(f'<td class="n">{typeset(v)}</td>' for v in numbers)
    token = f'<bdi class="h{heat.shade(-f.logp)}">{text(f.token)}</bdi>'
    return f'<tr{kind}><td class="n i">{with_commas(f.i)}</td><td class="tok">{token}</td>{cells}</tr>'


def _comparison(scored_list: Sequence[Scored]) -> Fragment:
    sums = [total(s) for s in scored_list]
    names = sorted({s.name for s in sums})
    rows = [
        (
            excerpt(s.text, 60) or "(empty)",
            Numeral(fixed_point(t.value)),
            t.bits_per_byte if s.terms.bytes else None,
            s.terms.tokens,
        )
        for s, t in zip(scored_list, sums)
    ]
    compared = table(("text", f"{' or '.join(names)}, nats", "bits per byte", "tokens"), rows)
    return Fragment(f'<div class="comparison">{compared.html}</div>')


def _italic(name: str) -> str:
    """`log p(x | given)` with its variables in italics."""
    head, _, inside = name.partition("(")
    letter = head.removeprefix("log ")
    return f"log <var>{letter}</var>(<var>x</var>{text(inside[1:-1])})"
