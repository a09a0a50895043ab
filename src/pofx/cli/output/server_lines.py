"""The output of `pofx check-server`: one finding a line, as soon as its check is done, and the counts of verdicts."""

from __future__ import annotations

from collections import Counter

import click
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from pofx.report.terminal.cells import BOLD, DIM
from pofx.report.visible import visible
from pofx.server_check.check import CHECKS, ServerCheck
from pofx.server_check.finding import ServerFinding

_SYMBOL = {"pass": "✓", "warn": "!", "fail": "✗", "skip": "–"}
_NAME_WIDTH = max(map(len, CHECKS))


def print_findings(test: ServerCheck, console: Console) -> bool:
    """Print the findings of a test and their count; return whether any check failed.

    In a pipe a finding is one line, however long. A terminal wraps the words of a finding below their own column.
    """
    where = f"{test.address}, {'no model named' if test.model is None else f'model {test.model}'}"
    click.echo(visible(where))
    counts: Counter[str] = Counter()
    for finding in test.findings:
        counts[finding.verdict] += 1
        if console.is_terminal:
            console.print(_row(finding))
        else:
            click.echo(f"{_head(finding)}  {visible(_said(finding))}")
    click.echo(
        ", ".join(f"{counts[v]} {v}" for v in ("pass", "warn", "fail")) + f", {counts['skip']} skipped"
    )
    return counts["fail"] > 0


def _head(finding: ServerFinding) -> str:
    return f"{_SYMBOL[finding.verdict]} {finding.verdict}  {finding.check:<{_NAME_WIDTH}}"


def _said(finding: ServerFinding) -> str:
    """Return the words of a finding; for a check that passed or was skipped, the answer alone."""
    if finding.verdict in ("pass", "skip"):
        return finding.got
    return f"sent {finding.sent}; expected {finding.expected}; got {finding.got}"


def _row(finding: ServerFinding) -> Table:
    """Return a line of the terminal; the words of a warning or failure wrap below their own column."""
    quiet = finding.verdict == "pass"
    row = Table.grid(padding=(0, 2, 0, 0))
    row.add_column(no_wrap=True, width=len(_head(finding)))
    row.add_column(no_wrap=quiet, overflow="ellipsis" if quiet else "fold")
    loud = finding.verdict in ("warn", "fail")
    said = Text(visible(_said(finding)), Style() if loud else DIM)
    row.add_row(Text(_head(finding), BOLD if loud else Style()), said)
    return row
