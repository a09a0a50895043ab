"""FILE… without -o, of verbs whose answer is rows: a line a row on standard output, after one with the columns' names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pofx.cli.bad_rows import BadRows
from pofx.cli.rows import Rows, tabbed
from pofx.cli.score_input import Input
from pofx.cli.spelling import in_shell

if TYPE_CHECKING:
    from pofx.lm import LM


def print_rows(lm: LM, asked: Input, rows: Rows, as_json: bool, lacking: str, name: str) -> None:
    """Print the rows of all texts, tab-separated or as JSON; exit code 1 if a text has none but an error.

    lacking: what that text is without ("score"). name: of the model; log p of all texts and its
    terms go to standard error, too, where there is one.
    """
    from pofx.cli.score_files import summary
    from pofx.cli.terms import line as told_terms
    from pofx.errors import PofxError
    from pofx.queries.terms import terms
    from pofx.report.numerals import counted
    from pofx.writing import line

    columns = rows.columns({})
    n = n_bytes = failed = 0
    nats = 0.0
    told = BadRows()
    for block in rows.stream(lm, asked.items(), asked.ask):
        for item, found in block:
            if not as_json and n + failed == 0:
                click.echo("\t".join(c.name for c in columns))
            if isinstance(found, PofxError):
                failed += 1
                told.failed(f"{item.source}:{item.line}", found)
                cells = rows.of(item.id, (), None, None, " ".join(str(in_shell(found)).split()))
            else:
                n, n_bytes, nats = n + 1, n_bytes + found.terms.bytes, nats + rows.nats(found)
                cells = rows.of(item.id, (), None, None, found)
            for row in cells:
                click.echo(line(row).decode().rstrip("\n") if as_json else tabbed(row, columns))
    told.rest()
    if not n and not failed:
        raise asked.nothing()
    if failed:
        click.echo(f"pofx: warning: {failed:,} of {counted(n + failed, 'row')} without a {lacking}", err=True)
    if name:
        click.echo(summary(n, n_bytes, nats, prefix=False), err=True)
        click.echo(f"pofx: {told_terms(name, terms(lm, 0, 0, 0, end=True))}", err=True)
    if failed:
        click.get_current_context().exit(1)
