"""The audit of a corpus in a terminal: the verdict, the loss L(θ), and a paragraph for each check."""

from __future__ import annotations

from rich.console import Group
from rich.text import Text

from pofx.queries.corpus_audit.record import CorpusReport
from pofx.report.numerals import fixed_point, with_commas
from pofx.report.terminal.audit import findings_table
from pofx.report.terminal.cells import BOLD, DIM
from pofx.report.verdicts import CORPUS_GLOSS, SYMBOL, outcomes
from pofx.report.visible import visible
from pofx.units import count_noun

# The most documents of a group of copies that are named, and the most groups.
NAMED, GROUPS = 4, 3


def corpus_headline(report: CorpusReport) -> Group:
    """Return the verdict, the size of the input, L(θ) with its interval, the ids of copies, and how many checks passed."""
    loss = report.loss
    verdict = Text(f"{SYMBOL[report.verdict]} {report.verdict}", BOLD)
    verdict.append(f"  {CORPUS_GLOSS[report.verdict]}", DIM)
    size = (
        f"{count_noun(report.documents, 'document')}, {count_noun(report.bytes, 'byte')}, "
        f"{count_noun(len(report.sources), 'file')}; {with_commas(report.held_out)} held out"
    )
    value, low, high = (fixed_point(x) for x in (loss.value, loss.low, loss.high))
    lines = [verdict, Text(size)]
    lines.append(Text(f"L(θ) = {value} nats a document ({loss.level:.0%}: {low} to {high})"))
    lines += [Text(visible(f"copies: {_ids(group)}"), DIM) for group in report.copies[:GROUPS]]
    lines += [Text(visible(f"mid-way: {_ids(report.midway)}"), DIM)] if report.midway else []
    lines.append(Text(f"{outcomes(report.findings)}; seed {report.seed}", DIM))
    return Group(*lines, Text())


def checks_table(report: CorpusReport) -> Group:
    """Return the checks, a paragraph a check."""
    return findings_table(report.findings)


def _ids(ids: tuple[str, ...]) -> str:
    return ", ".join(ids[:NAMED]) + (", …" if len(ids) > NAMED else "")
