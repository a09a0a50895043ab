"""An audit in a terminal: the verdict, the candidates for x0 and EOS, and a paragraph for each check."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text

from pofx.queries.findings import Audit, Finding
from pofx.report.numerals import significant_digits, trim_zeros
from pofx.report.terminal.cells import BOLD, DIM, make_table
from pofx.report.verdicts import AUDIT_SYMBOL, GLOSS, SYMBOL, begin_evidence, tally
from pofx.report.visible import visible
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


def audit_table(audit: Audit) -> Group:
    """Return the checks of an audit, a paragraph a check."""
    return findings_table(audit.findings)


def findings_table(findings: Sequence[Finding]) -> Group:
    """Return the findings, a paragraph a finding.

    The first line of a paragraph has the verdict as symbol and word, the name of the check, the value and the bound. The
    lines below give the reason in full width.
    """
    return Group(*[part for finding in findings for part in _finding(finding)])


def _finding(finding: Finding) -> list[Table | Padding]:
    head = Table.grid(expand=True, padding=(0, 1, 0, 0))
    head.add_column(no_wrap=True, width=7)
    head.add_column(ratio=1)
    head.add_column(justify="right", no_wrap=True)
    loud = finding.verdict != "pass"
    numbers = (
        f"{significant_digits(finding.value)} {visible(finding.unit)}" if finding.value is not None else ""
    )
    if finding.bound is not None:
        numbers += f" (bound {trim_zeros(finding.bound)})"
    head.add_row(
        Text(f"{SYMBOL[finding.verdict]} {finding.verdict}", BOLD if loud else Style()),
        Text(visible(finding.check), BOLD),
        numbers,
    )
    return [head, Padding(Text(visible(finding.why), DIM), (0, 0, 1, 8))]


def audit_candidates(audit: Audit) -> Group:
    """Return the tokens that may stand for x0 and for EOS of a pretrained model, each with its evidence.

    The group is empty for a model that pofx fitted, which has no such candidates.
    """
    parts: list[Table | Text] = []
    if audit.candidates:
        table = make_table(padding=(0, 1, 0, 0))
        for k, heading in enumerate(HEADINGS):
            table.add_column(heading, justify="right" if k > 2 else "left", overflow="fold")
        for c in audit.candidates:
            table.add_row(
                *(Text(visible(cell)) for cell in candidate_row(c)), style=BOLD if c.current else None
            )
        parts += [table, Text(candidates_note(audit), DIM), Text()]
        for c in audit.candidates:
            if c.top and c.role != "twice":
                line = Text(f"p(x1|{visible(c.name)})  ", no_wrap=True, overflow="ellipsis")
                parts.append(line.append(visible(candidate_note(c)), DIM))
    if audit.endings:
        table = make_table()
        for k, heading in enumerate(END_HEADINGS):
            table.add_column(heading, justify="right" if k > 1 else "left", overflow="fold")
        for e in audit.endings:
            table.add_row(*(Text(visible(cell)) for cell in ending_row(e)), style=BOLD if e.current else None)
        parts += [table, Text(END_NOTE, DIM)]
    return Group(*parts)


def audit_headline(audit: Audit) -> Group:
    """Return the verdict and its meaning, the reason, the evidence for x0, and how many checks passed."""
    verdict = Text(f"{AUDIT_SYMBOL[audit.verdict]} {audit.verdict}", BOLD)
    verdict.append(f"  {GLOSS[audit.verdict]}", Style(bold=False, dim=True))
    lines = [verdict, Text(visible(audit.reason))]
    lines += [Text(visible(begin_evidence(audit.begin)))] if audit.begin and not audit.candidates else []
    documents = f" on {count_noun(audit.documents, 'document')}" if audit.documents else ""
    lines.append(Text(f"{tally(audit)}{documents}; seed {audit.seed}", DIM))
    return Group(*lines)
