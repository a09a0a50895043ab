"""Rows on standard output, for verbs whose answer is rows: the names of the columns, then one line for each row."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from pofx.cli.output.notices import print_notice
from pofx.cli.output.row_tally import RowTally
from pofx.cli.spelling import in_shell
from pofx.jobs.documents import Documents
from pofx.jobs.row_query import Entry, RowQuery

if TYPE_CHECKING:
    from pofx.cli.output.paged import Paged
    from pofx.corpus.writing import Column
    from pofx.lm.model import LM


def print_rows(
    lm: LM,
    asked: Documents,
    rows: RowQuery,
    as_json: bool,
    lacking: str,
    name: str,
    paged: Paged[Any] | None = None,
) -> int:
    """Print the rows of all texts, tab-separated or as JSON, and return how many texts have an error in place of rows.

    Args:
        lm: The model.
        asked: The documents.
        rows: The query, and the rows of its answers.
        as_json: Whether a row is a JSON object.
        lacking: The noun for the missing answer of such a text, such as "score".
        name: The name of the model, for the line of terms on standard error; "" for no such line.
        paged: The collector of the first texts for a page; None for no page.
    """
    from pofx.cli.output.run_job import summary
    from pofx.cli.output.terms import line as told_terms
    from pofx.corpus.documents import Document
    from pofx.corpus.writing import encode_row
    from pofx.errors import PofxError
    from pofx.queries.scoring.stream import blocks
    from pofx.queries.scoring.terms import terms

    columns = rows.columns({})
    tally = RowTally()
    answer = rows.bind(lm)
    for block in blocks(asked.items(print_notice), asked.ask, rows.block_size(lm)):
        for item, found in zip(block.items, block.answers(answer)):
            if not as_json and tally.n + tally.failed == 0:
                click.echo("\t".join(c.name for c in columns))
            if isinstance(found, PofxError):
                tally.fail(item, found)
                cells = rows.make_rows(Entry(item.id), " ".join(str(in_shell(found)).split()))
            else:
                tally.add(found.terms, rows.nats(found))
                if paged is not None and isinstance(item, Document):
                    paged.add(item, found)
                cells = rows.make_rows(Entry(item.id), found)
            for row in cells:
                click.echo(encode_row(row).decode().rstrip("\n") if as_json else tabbed(row, columns))
    tally.rest(asked, lacking)
    tally.warn_of_fitted()
    if name:
        click.echo(summary(tally.n, tally.bytes, tally.nats, prefix=False), err=True)
        click.echo(f"pofx: {told_terms(name, terms(lm, 0, 0, 0, end=True))}", err=True)
    return tally.failed


def tabbed(row: Mapping[str, Any], columns: Sequence[Column]) -> str:
    """Return a row as one tab-separated line: strings as they are, nothing for None, other values as JSON."""
    values = (row[c.name] for c in columns)
    cells = (v if isinstance(v, str) else "" if v is None else json.dumps(v) for v in values)
    # A word of a pattern, or a label, may hold tabs and line ends, which -o writes as they are.
    return "\t".join(re.sub(r"[\t\r\n]+", " ", cell) for cell in cells)
