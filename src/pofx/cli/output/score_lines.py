"""`pofx score FILES` without -o: one line for each document on standard output, and the sum on standard error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from pofx.cli.output.notices import print_notice
from pofx.cli.output.row_tally import RowTally
from pofx.cli.spelling import in_shell
from pofx.jobs.documents import Documents

if TYPE_CHECKING:
    from pofx.cli.output.paged import Paged
    from pofx.corpus.bad_rows import BadRow
    from pofx.corpus.documents import Document
    from pofx.errors import PofxError
    from pofx.lm.model import LM
    from pofx.queries.scoring.joins import JoinRequest
    from pofx.queries.scoring.score import Scored


def print_lines(
    lm: LM,
    asked: Documents,
    boundary: JoinRequest,
    prefix: bool,
    tokens: bool,
    as_json: bool,
    quiet: bool,
    paged: Paged[Scored] | None,
) -> int:
    """Print one line for each row, in order; return how many have no score. `paged` keeps the first texts for a page."""
    from pofx.lm.trace import Want
    from pofx.queries.scoring.stream import score_stream

    items = asked.items(print_notice)
    asked.check(lm, complete=False)
    want = Want(entropy=True, rank=True, top=5) if paged is not None else Want()
    blocks = score_stream(lm, items, asked.ask, want, boundary=boundary)
    return print_blocks(blocks, asked, prefix or lm.vocab.end is None, tokens, as_json, quiet, paged)


def print_blocks(
    blocks: Iterable[Sequence[tuple[Document | BadRow, Scored | PofxError]]],
    asked: Documents,
    prefix: bool,
    tokens: bool,
    as_json: bool,
    quiet: bool,
    paged: Paged[Scored] | None = None,
) -> int:
    """Print the lines of rows that were scored, or have an error; return how many rows have no score.

    A row without a score has empty cells (with JSON: an `error`), and standard error has the reason.
    """
    from pofx.cli.output.run_job import summary
    from pofx.corpus.documents import Document
    from pofx.queries.scoring.score import Scored

    tally = RowTally()
    for block in blocks:
        for item, found in block:
            if isinstance(found, Scored):
                value = found.prefix_total if prefix else found.total
                tally.add(found.terms, value)
                record = found.without_end() if prefix else found
                if paged is not None and isinstance(item, Document):
                    paged.add(item, record)
                click.echo(_json(item, record, tokens) if as_json else _cells(item, found, value))
            else:
                tally.fail(item, found)
                click.echo(_json_error(item, found) if as_json else f"{item.id}\t\t")
    tally.rest(asked, "score")
    if not quiet:
        click.echo(summary(tally.n, tally.bytes, tally.nats, prefix), err=True)
    tally.warn_of_fitted()
    return tally.failed


def _cells(item: Any, found: Scored, value: float) -> str:
    from pofx.units import bits_per_byte

    # An empty text has no bytes, so the cell of bits per byte is empty, and not nan.
    rate = f"{bits_per_byte(-value, found.terms.bytes):.4f}" if found.terms.bytes else ""
    return f"{item.id}\t{value:.4f}\t{rate}"


def _json(item: Any, found: Scored, tokens: bool) -> str:
    from pofx.report.json_records import dumps, scored_record

    return dumps({"id": item.id, **scored_record(found, tokens)})


def _json_error(item: Any, found: PofxError) -> str:
    from pofx.corpus.documents import Document
    from pofx.report.json_records import dumps

    text = {"text": item.text} if isinstance(item, Document) else {}
    return dumps({"id": item.id, **text, "error": str(in_shell(found))})
