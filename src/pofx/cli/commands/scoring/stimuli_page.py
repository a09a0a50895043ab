"""The page of `pofx stimuli --html`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pofx.cli.options.pages import write_noted_page

if TYPE_CHECKING:
    from pofx.report.html.blocks import Section
    from pofx.report.html.made import ModelNote
    from pofx.stimuli.stimulus_fields import StimulusFields
    from pofx.stimuli.stimulus_table import StimulusTable


def write_stimulus_page(
    path: str,
    file: str,
    rows: Sequence[Mapping[str, Any]],
    fields: StimulusFields,
    found: StimulusTable,
    notes: Mapping[str, ModelNote],
    condition: str | None,
    region: str | None,
    lines: Sequence[tuple[str, Sequence[str]]],
    quiet: bool,
) -> None:
    """Write the page.

    Args:
        path: The page.
        file: The table that was read.
        rows: The rows of the table.
        fields: The columns that were read.
        found: The measured table.
        notes: What the foot of the page says of each model.
        condition: The column of the condition; None for none.
        region: The column with the name of a region; None for places.
        lines: The lines of regressions, by language; () where no table is written.
        quiet: Whether the page is not named on standard error.
    """
    from pofx.errors import PofxError
    from pofx.report.html.stimulus_sections import lines_section, means_section, texts_section
    from pofx.stimuli.region_means import region_means
    from pofx.units import count_noun

    ids = [_id(rows, fields, t.rows) for t in found.texts]
    n_items = len({str(row.get(fields.item[0])) for row in rows})
    sections: list[Section] = []
    texts: list[Section] = []
    for name, measured in found.measured.items():
        of = f": {name}" if name else ""
        first = next((m for m in measured if not isinstance(m, PofxError)), None)
        if first is not None:
            means = region_means(rows, fields, found.texts, measured, condition, region)
            sections.append(means_section(f"Surprisals{of}", means, first.terms.common, n_items))
        texts.append(texts_section(f"Texts{of}", found.texts, measured, ids))
    if lines:
        sections.append(lines_section(lines))
    title = f"{count_noun(len(found.texts), 'text')} of {file}"
    write_noted_page(path, title, [*sections, *texts], list(notes.values()), quiet)


def _id(rows: Sequence[Mapping[str, Any]], fields: StimulusFields, held: Sequence[Sequence[int]]) -> str:
    """Return the values of the columns that name a text, from its first row."""
    first = min((n for places in held for n in places), default=None)
    return "" if first is None else " ".join(str(rows[first].get(name)) for name in fields.item)
