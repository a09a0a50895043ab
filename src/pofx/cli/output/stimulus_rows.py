"""The rows of `pofx stimuli`, the record of what they are, and the lines on standard error that say what was read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pofx.corpus.whole_table import WholeTable
    from pofx.stimuli.stimulus_fields import StimulusFields
    from pofx.stimuli.stimulus_table import StimulusTable
    from pofx.stimuli.stimulus_texts import StimulusText


def warn_of_punctuation(texts: Sequence[StimulusText]) -> None:
    """Say how many words are punctuation alone, and so stand after a space, where no author writes a space."""
    from pofx.stimuli.spaces import spaced
    from pofx.units import count_noun

    words = [[t.text[lo:hi] for lo, hi in t.regions] for t in texts]
    apart = sum(spaced(w)[1:].count(False) for w in words)
    if apart:
        click.echo(
            "pofx: warning: expected no space before punctuation and clitics, got "
            f"{count_noun(apart, 'word')} after a space; join them without a space (--attach)",
            err=True,
        )


def give_rows(
    table: WholeTable,
    found: StimulusTable,
    out: str | None,
    as_json: bool,
    about: Mapping[str, Any],
    quiet: bool,
) -> None:
    """Write or print the rows with their further columns."""
    from pofx.cli.output.row_lines import tabbed
    from pofx.cli.output.table_file import write_table
    from pofx.corpus.writing import Column, common_kind, encode_row, kind_of_value

    columns = [
        *(
            Column(found.renamed.get(n, n), common_kind([kind_of_value(row[n]) for row in table.rows]))
            for n in table.names
        ),
        *(Column(c.name, c.kind) for c in found.columns if c.kind != "bytes"),
    ]
    if out is not None:
        write_table(columns, _rows(table, found), out, about, quiet)
        return
    if not as_json:
        click.echo("\t".join(c.name for c in columns))
    for row in _rows(table, found):
        click.echo(encode_row(row).decode().rstrip("\n") if as_json else tabbed(row, columns))


def _rows(table: WholeTable, found: StimulusTable) -> Iterator[dict[str, Any]]:
    for k, row in enumerate(table.rows):
        own = {found.renamed.get(name, name): value for name, value in row.items()}
        yield {**own, **{c.name: c.cells[k] for c in found.columns}}


def written_fields(fields: StimulusFields, found: StimulusTable) -> StimulusFields:
    """Return the columns that were read by the names that they have in the written table."""
    from pofx.stimuli.stimulus_fields import StimulusFields

    def new(name: str) -> str:
        return found.renamed.get(name, name)

    order, given = (None if name is None else new(name) for name in (fields.order, fields.given))
    return StimulusFields(new(fields.word), tuple(map(new, fields.item)), order, given)


def lines_for(
    out: str, table: WholeTable, fields: StimulusFields, found: StimulusTable
) -> list[tuple[str, list[str]]]:
    """Return the lines of R and of Python that fit a regression of the written table, each with its language."""
    from pofx.stimuli.regression_lines import TIME, python_lines, r_lines, regression_of

    names = [*(found.renamed.get(n, n) for n in table.names), *(c.name for c in found.columns)]
    of = regression_of(names, written_fields(fields, found))
    note = "" if of.time in names else f" ({TIME} stands for your column of times)"
    return [(f"R{note}", r_lines(out, of)), (f"Python{note}", python_lines(out, of))]


def print_lines(lines: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Print the lines of each language on standard output, where no rows are."""
    for language, own in lines:
        click.echo(f"# {language}")
        for line in own:
            click.echo(line)


def about_stimuli(
    file: str, fields: StimulusFields, found: StimulusTable, models: Mapping[str, str]
) -> dict[str, Any]:
    """Return what the numbers are: the models, their terms, and the columns that were read."""
    from dataclasses import asdict

    from pofx.errors import PofxError
    from pofx.version import __version__

    first = {
        n: next((m for m in own if not isinstance(m, PofxError)), None) for n, own in found.measured.items()
    }
    per_text = {"tokens", "bytes", "given_bytes", "leak", "normalized", "unknown", "fitted", "chosen"}
    return {
        "pofx": __version__,
        "table": file,
        "columns": asdict(fields),
        "renamed": dict(found.renamed),
        "texts": len(found.texts),
        "models": [
            {
                "name": name or None,
                "model": models[name],
                "terms": None
                if m is None
                else {k: v for k, v in asdict(m.terms).items() if k not in per_text},
            }
            for name, m in first.items()
        ],
    }


def tell_stimuli(found: StimulusTable, fields: StimulusFields, models: Mapping[str, str], quiet: bool) -> int:
    """Print what was read and by which model on standard error; return the number of texts without numbers."""
    from pofx.cli.output.notices import BadRows
    from pofx.cli.output.terms import line
    from pofx.errors import PofxError
    from pofx.units import count_noun

    bad = BadRows()
    failed = 0
    for name, own in found.measured.items():
        terms = None
        for text, m in zip(found.texts, own):
            if isinstance(m, PofxError):
                failed += 1
                bad.failed(f"the text of row {text.rows[0][0] + 1:,}" if text.rows else "a text", m)
            else:
                terms = terms or m.terms
        if terms is not None and not quiet:
            click.echo(f"pofx: {line(name or models[name], terms)}", err=True)
    bad.rest()
    if not quiet:
        for old, new in found.renamed.items():
            click.echo(f"pofx: the column {old!r} of the table is {new!r} beside the new {old!r}", err=True)
        order = f"; order {fields.order!r}" if fields.order else ""
        click.echo(
            f"pofx: {count_noun(len(found.texts), 'text')} by {' and '.join(map(repr, fields.item))}; "
            f"word {fields.word!r}{order}",
            err=True,
        )
    return failed
