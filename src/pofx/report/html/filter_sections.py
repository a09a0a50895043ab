"""The page of a filter: how many documents are kept, and the bits per byte of each language with examples at each bound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pofx.report.html.amounts import Amount, amounts_block
from pofx.report.html.blocks import Block, Section, paragraph, quote, table
from pofx.report.numerals import fixed_point

if TYPE_CHECKING:
    from pofx.filtering.overview import Edge, LanguageOverview, Overview, Seen

# The most characters of an example: as much as a reader needs to judge the text.
SHOWN = 400
_REASONS = {
    "empty": "no text after the normaliser",
    "language": "no known language",
    "improbable": "more bits per byte than the upper bound",
    "predictable": "fewer bits per byte than the lower bound",
    "fitted": "a model was fitted on the document",
    "midway": "begins or ends in the middle of a sentence",
    "copy": "equal to an earlier document",
    "near copy": "most shingles are those of a document that is kept",
}


def filter_sections(overview: Overview) -> list[Section]:
    """Return the sections of a filter's page.

    Args:
        overview: What the filter does to some documents.
    """
    rows = [(why, _REASONS.get(why, ""), n, 100 * n / overview.documents) for why, n in overview.reasons]
    told = f"{overview.kept:,} of {overview.documents:,} documents are kept."
    blocks = [paragraph(told), table(["reason", "the document", "documents", "%"], rows)]
    if overview.unknown:
        blocks += [paragraph("Some documents of no known language:"), *map(_example, overview.unknown)]
    return [Section("What is kept", tuple(blocks)), *(_language(one) for one in overview.languages)]


def _language(one: LanguageOverview) -> Section:
    blocks = [paragraph(_found(one))]
    if one.bars:
        blocks.append(_distribution(one))
    blocks += [block for edge in one.edges for block in _edge(edge)]
    return Section(f"Language {one.language}", tuple(blocks))


def _distribution(one: LanguageOverview) -> Block:
    most = max(kept + rest for _, kept, rest in one.bars) or 1
    rows = [
        Amount(f"{low:.2f}", kept / most, f"{kept:,}", f"{rest:,}", more=rest / most)
        for low, kept, rest in one.bars
    ]
    return amounts_block((), rows, "Documents by bits per byte", "kept", "not kept, in grey")


def _found(one: LanguageOverview) -> str:
    b = one.bounds
    ends = [f"{edge.name} bound {fixed_point(edge.value)}" for edge in one.edges]
    told = f"Bits per byte: {', '.join(ends) or 'no bound'}. "
    if b.how == "labels":
        good, bad = f"{b.kept:,} of {b.documents:,} good documents", f"{b.kept_bad:,} of {b.bad:,} bad ones"
        return f"{told}The bounds hold {good} and {bad}."
    return f"{told}The bounds hold {b.kept:,} of {b.documents:,} documents of the sample."


def _edge(edge: Edge) -> Iterator[Block]:
    yield paragraph(f"Kept, and nearest to the {edge.name} bound of {fixed_point(edge.value)} bits per byte:")
    yield from map(_example, edge.inside)
    yield paragraph(
        "The nearest documents beyond the bound:" if edge.outside else "No document lies beyond the bound."
    )
    yield from map(_example, edge.outside)


def _example(seen: Seen) -> Block:
    text = seen.text if len(seen.text) <= SHOWN else f"{seen.text[:SHOWN]} …"
    return quote(text, f"{seen.id}: {fixed_point(seen.bits_per_byte)} bits per byte")
