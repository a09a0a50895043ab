"""An audit as a section of a page: the verdict, what it rests on, and every check with its bound."""

from __future__ import annotations

from pofx.queries.findings import Audit, Finding
from pofx.report.charts import chart
from pofx.report.numerals import counted, significant, trimmed, typeset
from pofx.report.section import Block, Section, text
from pofx.report.verdicts import AUDIT_SYMBOL, GLOSS, SYMBOL, begin_evidence, tally


def audit_section(audit: Audit, name: str) -> Section:
    """The audit of the model called `name`."""
    return Section(f"Audit of {name}", (audit_block(audit),))


def audit_block(audit: Audit) -> Block:
    """The verdict badge, the reason, the evidence for x0, the findings and their charts."""
    of = f" on {counted(audit.documents, 'document')}" if audit.documents else ""
    figures = [chart(f.series) for f in audit.findings if f.series]
    evidence = f"<p>{text(begin_evidence(audit.begin))}.</p>" if audit.begin else ""
    return Block(
        f'<div class="verdict"><span class="badge {audit.verdict}"><span aria-hidden="true">'
        f"{AUDIT_SYMBOL[audit.verdict]}</span> {audit.verdict}</span>"
        f'<span class="gloss">{text(GLOSS[audit.verdict])}</span></div>'
        f'<p class="reason">{text(audit.reason)}</p>{evidence}'
        f'<ul class="findings">{"".join(_finding(f) for f in audit.findings)}</ul>'
        f'<p class="note">{tally(audit)}{of}; seed {audit.seed}</p>'
        + (f'<div class="charts">{"".join(figures)}</div>' if figures else "")
    )


def _finding(finding: Finding) -> str:
    bound = (
        ""
        if finding.bound is None
        else f'<span class="bound"><small>bound</small> {typeset(trimmed(finding.bound))}</span>'
    )
    value = (
        "" if finding.value is None else f'<span class="value">{typeset(significant(finding.value))}</span>'
    )
    unit = f'<span class="unit">{text(finding.unit)}</span>' if value or bound else ""
    return (
        f'<li class="{finding.verdict}"><span class="mark"><span aria-hidden="true">{SYMBOL[finding.verdict]}'
        f"</span> {finding.verdict}</span>"
        f'<div class="what"><h3>{text(finding.check)}</h3><p>{text(finding.why)}</p></div>'
        f'<div class="numbers">{value}{unit}{bound}</div></li>'
    )
