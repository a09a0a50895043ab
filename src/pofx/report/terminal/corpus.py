"""What a corpus is, as rich renderables: the verdict, L(θ), and a check a paragraph."""

from __future__ import annotations

from rich.console import Group
from rich.text import Text

from pofx.queries.corpus_audit.record import CorpusReport
from pofx.report.numerals import count_noun, fixed, whole
from pofx.report.terminal.render import BOLD, DIM, findings_table
from pofx.report.verdicts import SYMBOL, outcomes
from pofx.report.visible import visible

GLOSS = {
    "pass": "nothing speaks against independent draws of one p, from x0 to EOS",
    "warn": "mostly independent draws of one p; see the warnings",
    "fail": "not independent draws of one p, from x0 to EOS",
}
# Documents that are named of each group of copies, and groups.
NAMED, GROUPS = 4, 3


def headline(report: CorpusReport) -> Group:
    """The verdict, what was read, L(θ) with its interval, and how many checks passed."""
    loss = report.loss
    verdict = Text(f"{SYMBOL[report.verdict]} {report.verdict}", BOLD)
    verdict.append(f"  {GLOSS[report.verdict]}", DIM)
    read = (
        f"{count_noun(report.documents, 'document')}, {count_noun(report.bytes, 'byte')}, "
        f"{count_noun(len(report.sources), 'file')}; {whole(report.held_out)} held out"
    )
    of = f"L(θ) = {fixed(loss.value)} nats a document ({loss.level:.0%}: {fixed(loss.low)} to {fixed(loss.high)})"
    lines = [verdict, Text(read), Text(of)]
    lines += [Text(visible(f"copies: {_named(group)}"), DIM) for group in report.copies[:GROUPS]]
    lines += [Text(visible(f"mid-way: {_named(report.midway)}"), DIM)] if report.midway else []
    lines.append(Text(f"{outcomes(report.findings)}; seed {report.seed}", DIM))
    return Group(*lines, Text())


def checks(report: CorpusReport) -> Group:
    """A check a paragraph."""
    return findings_table(report.findings)


def _named(ids: tuple[str, ...]) -> str:
    return ", ".join(ids[:NAMED]) + (", …" if len(ids) > NAMED else "")
