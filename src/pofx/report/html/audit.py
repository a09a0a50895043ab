"""An audit as a section of a page: the verdict, its reason and evidence, and every check with its bound."""

from __future__ import annotations

from pofx.queries.findings import Audit, Finding
from pofx.report.html.charts import chart
from pofx.report.html.sections import Fragment, Numeral, Section, table, text
from pofx.report.numerals import significant_digits, trim_zeros, typeset
from pofx.report.verdicts import AUDIT_SYMBOL, GLOSS, SYMBOL, begin_evidence, tally
from pofx.report.x0_tables import (
    END_HEADINGS,
    END_NOTE,
    HEADINGS,
    candidate_note,
    candidate_row,
    candidates_note,
    ending_row,
)
from pofx.units import count_noun


def audit_section(audit: Audit, name: str) -> Section:
    """Return the audit of a model.

    Args:
        audit: The audit.
        name: The name of the model.
    """
    return Section(f"Audit of {name}", (audit_fragment(audit),))


def audit_fragment(audit: Audit) -> Fragment:
    """Return the verdict, the reason, the evidence for x0, the findings and their charts."""
    of = f" on {count_noun(audit.documents, 'document')}" if audit.documents else ""
    figures = [chart(f.series) for f in audit.findings if f.series]
    has_evidence = audit.begin is not None and not audit.candidates
    evidence = f"<p>{text(begin_evidence(audit.begin))}.</p>" if audit.begin and has_evidence else ""
    return Fragment(
        f'<div class="verdict"><span class="badge {audit.verdict}"><span aria-hidden="true">'
        f"{AUDIT_SYMBOL[audit.verdict]}</span> {audit.verdict}</span>"
        f'<span class="gloss">{text(GLOSS[audit.verdict])}</span></div>'
        f'<p class="reason">{text(audit.reason)}</p>{evidence}{_candidates(audit)}'
        f'<ul class="findings">{"".join(_finding(f) for f in audit.findings)}</ul>'
        f'<p class="note">{tally(audit)}{of}; seed {audit.seed}</p>'
        + (f'<div class="charts">{"".join(figures)}</div>' if figures else "")
    )


def _candidates(audit: Audit) -> str:
    """Return the tables of candidates for x0 and EOS of a pretrained model."""
    out = ""
    if audit.candidates:
        rows = [_cells(candidate_row(c), 3) for c in audit.candidates]
        likely = [(c.name, candidate_note(c)) for c in audit.candidates if c.top and c.role != "twice"]
        out += f"<h3>What may stand for x0</h3>{table(HEADINGS, rows, candidates_note(audit)).html}"
        out += table(("x0", "its likeliest first tokens, and p of each"), likely).html
    if audit.endings:
        ends = [_cells(ending_row(e), 2) for e in audit.endings]
        out += f"<h3>What may end texts</h3>{table(END_HEADINGS, ends, END_NOTE).html}"
    return out


def _cells(row: tuple[str, ...], words: int) -> tuple[str, ...]:
    """Return the cells as text, and from column `words` on as numerals."""
    return (*row[:words], *(Numeral(cell) for cell in row[words:]))


def _finding(finding: Finding) -> str:
    bound = (
        ""
        if finding.bound is None
        else f'<span class="bound"><small>bound</small> {typeset(trim_zeros(finding.bound))}</span>'
    )
    value = (
        ""
        if finding.value is None
        else f'<span class="value">{typeset(significant_digits(finding.value))}</span>'
    )
    unit = f'<span class="unit">{text(finding.unit)}</span>' if value or bound else ""
    return (
        f'<li class="{finding.verdict}"><span class="mark"><span aria-hidden="true">{SYMBOL[finding.verdict]}'
        f"</span> {finding.verdict}</span>"
        f'<div class="what"><h3>{text(finding.check)}</h3><p>{text(finding.why)}</p></div>'
        f'<div class="numbers">{value}{unit}{bound}</div></li>'
    )
