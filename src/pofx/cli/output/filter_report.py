"""What `pofx filter` prints: the bounds of a filter, and how many documents went to either side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pofx.filtering.quality import QualityFilter
    from pofx.jobs.filtered.running import FilterEnd
    from pofx.jobs.sharded.totals import Totals


def print_filter(quality: QualityFilter, out: str, as_json: bool) -> None:
    """Print the bounds of each language, and what to do next.

    Args:
        quality: The filter.
        out: The directory where the filter is saved.
        as_json: Whether to print JSON.
    """
    if as_json:
        from pofx.report.json_records import dumps

        click.echo(dumps({"languages": [_bounds(quality, k) for k in range(len(quality.bounds))]}))
        return
    from rich.console import Console
    from rich.table import Table

    from pofx.report.numerals import fixed_point

    table = Table(box=None, header_style="none", pad_edge=False)
    for heading in ("language", "bits per byte", "", "kept", "of"):
        table.add_column(heading, justify="right" if heading in ("bits per byte", "", "kept") else "left")
    for name, b in zip(quality.languages, quality.bounds):
        shown = ["" if math.isinf(v) else fixed_point(v) for v in (b.low, b.high)]
        table.add_row(name, *shown, f"{b.kept:,}", f"{b.documents:,}")
        if b.how == "labels":
            table.add_row("", "", "", f"{b.kept_bad:,}", f"{b.bad:,} bad")
    Console().print(table)
    found = (
        "parts good from bad documents best"
        if quality.quantiles is None
        else f"quantiles {quality.quantiles[0]:g} and {quality.quantiles[1]:g} of documents that no model was fitted on"
    )
    click.echo(f"bounds: {found}")
    click.echo(f"next: pofx filter apply {out} FILES -o kept/ --rest rejected/")


def _bounds(quality: QualityFilter, k: int) -> dict[str, Any]:
    b = quality.bounds[k]
    return {
        "language": quality.languages[k],
        "low_bits_per_byte": None if math.isinf(b.low) else b.low,
        "high_bits_per_byte": None if math.isinf(b.high) else b.high,
        "how": b.how,
        "kept": b.kept,
        "documents": b.documents,
        "kept_bad": b.kept_bad,
        "bad": b.bad,
    }


def print_sides(ended: FilterEnd, kept: str, rest: str, as_json: bool, quiet: bool) -> None:
    """Print how many documents are kept, and why the others are not.

    Args:
        ended: The end of the run.
        kept: The directory of documents that are kept.
        rest: The directory of all others.
        as_json: Whether to print JSON.
        quiet: Whether nothing but warnings is printed.
    """
    from pofx.units import count_noun

    for failed in ended.failed:
        click.echo(f"pofx: warning: unit {failed.unit.name} ({failed.unit.path}): {failed.error}", err=True)
    if ended.kept is None or ended.rest is None:
        click.echo(
            "pofx: warning: no document is written, since copies need all units; run the command again",
            err=True,
        )
        return
    if as_json:
        from pofx.report.json_records import dumps

        record = {"kept": _side(ended.kept), "rest": _side(ended.rest), "reasons": dict(ended.reasons)}
        click.echo(dumps(record))
    elif not quiet:
        n = ended.kept.scored + ended.rest.scored
        click.echo(
            f"{ended.kept.scored:,} of {count_noun(n, 'document')} kept in {kept}; the rest is in {rest}"
        )
        for why, many in ended.reasons:
            click.echo(f"{many:>9,}  {why}")
    if ended.rest.errors:
        click.echo(
            f"pofx: warning: {count_noun(ended.rest.errors, 'row')} without a document; the files in {rest}errors say why",
            err=True,
        )


def _side(totals: Totals) -> dict[str, Any]:
    return {"documents": totals.scored, "bytes": totals.bytes, "tokens": totals.tokens, "nats": totals.nats}
