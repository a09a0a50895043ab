"""The page of a stimulus table: mean surprisals by condition and region, the lines of a regression, and the texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pofx.errors import PofxError
from pofx.queries.findings import Series
from pofx.queries.words.word import Word, Worded
from pofx.report.html.amounts import Amount, Fact, amounts_block
from pofx.report.html.blocks import Block, Cell, Section, code, paragraph, table
from pofx.report.html.record_blocks import Row, chart_block, words_block
from pofx.report.numerals import fixed_point, typeset, with_commas
from pofx.units import count_noun

if TYPE_CHECKING:
    from pofx.stimuli.region_means import MeansOfRegions, RegionMean
    from pofx.stimuli.regions import MeasuredText
    from pofx.stimuli.stimulus_texts import StimulusText

# The most rows of the table of regions, points of a chart, and texts; and the most strings of a region that are named.
ROWS, POINTS, TEXTS, STRINGS = 200, 200, 50, 3
# The interval of a bootstrap of fewer items is too narrow.
FEW = 20


def means_section(title: str, means: MeansOfRegions, told: str, n_items: int) -> Section:
    """Return the section of the mean surprisals of one model.

    Args:
        title: The heading.
        means: The means.
        told: The terms of the numbers.
        n_items: The number of items.
    """
    blocks = [_conditions(means, told, n_items)]
    for name in dict.fromkeys(m.condition for m in means.regions):
        own = [m for m in means.regions if m.condition == name]
        blocks.append(chart_block(_line(f"Surprisal by region{f': {name}' if name else ''}", own)))
    if means.differences:
        title_ = f"Difference by region: {means.differences[0].condition}"
        blocks.append(chart_block(_line(title_, means.differences)))
    blocks.append(_table(means))
    return Section(title, tuple(blocks))


def texts_section(
    title: str,
    texts: Sequence[StimulusText],
    measured: Sequence[MeasuredText | PofxError],
    ids: Sequence[str],
) -> Section:
    """Return the section of the texts under one model, each with the surprisal of every region.

    Args:
        title: The heading.
        texts: The texts.
        measured: The numbers of each text, or its error.
        ids: The name of each text.
    """
    whole = [(t, m, i) for t, m, i in zip(texts, measured, ids) if not isinstance(m, PofxError)]
    errors = [(i, str(m)) for m, i in zip(measured, ids) if isinstance(m, PofxError)]
    shown = whole[:TEXTS]
    blocks: list[Block] = []
    if len(whole) > TEXTS:
        blocks.append(paragraph(f"The first {TEXTS} of {count_noun(len(whole), 'text')}."))
    if shown:
        blocks.append(words_block([_worded(t, m) for t, m, _ in shown], [Row(i) for _, _, i in shown]))
    if errors:
        blocks.append(table(("text", "has no numbers, since"), [list(e) for e in errors[:ROWS]]))
    return Section(title, tuple(blocks))


def lines_section(lines: Sequence[tuple[str, Sequence[str]]]) -> Section:
    """Return the section of the lines that fit a regression: the name of each language, and its lines."""
    return Section(
        "A regression of the written table", tuple(code("\n".join(own), name) for name, own in lines)
    )


def _conditions(means: MeansOfRegions, told: str, n_items: int) -> Block:
    """Return the mean surprisal of a word under each condition, as bars."""
    most = max((m.mean for m in means.overall if math.isfinite(m.mean)), default=0.0)
    facts = [
        Fact(with_commas(sum(m.texts for m in means.overall)), "texts"),
        Fact(with_commas(n_items), "items" if n_items != 1 else "item"),
    ]
    rows = [
        Amount(m.condition or "all", m.mean / most if most > 0 else None, fixed_point(m.mean), _interval(m))
        for m in means.overall
    ]
    note = "The intervals are by a bootstrap of items."
    if n_items < FEW:
        note += f" The intervals of fewer than {FEW} items are too narrow."
    heading = "Mean surprisal of a word" + (" by condition" if len(means.overall) > 1 else "")
    return amounts_block(facts, rows, heading, "nats", "95 % interval", told, note)


def _line(title: str, means: Sequence[RegionMean]) -> Series:
    points = tuple((m.region, m.mean) for m in means[:POINTS])
    left = f", the first {POINTS} of {len(means):,} regions" if len(means) > POINTS else ""
    return Series(title, f"nats{left}", "line", points)


def _table(means: MeansOfRegions) -> Block:
    rows: list[list[Cell]] = [
        [
            m.condition or "all",
            m.region,
            "; ".join(m.strings[:STRINGS]) + ("; …" if len(m.strings) > STRINGS else ""),
            m.texts,
            m.mean,
            _interval(m),
        ]
        for m in (*means.regions, *means.differences)
    ]
    left = len(rows) - ROWS
    note = f"{count_noun(left, 'more row')} left out." if left > 0 else ""
    headings = ("condition", "region", "strings", "texts", "mean surprisal, nats", "95 % interval")
    return table(headings, rows[:ROWS], note)


def _interval(mean: RegionMean) -> str:
    if not (math.isfinite(mean.low) and math.isfinite(mean.high)):
        return ""
    return typeset(f"{fixed_point(mean.low)} to {fixed_point(mean.high)}")


def _worded(text: StimulusText, found: MeasuredText) -> Worded:
    """Return a text as a record of words; the ending of the text counts for the last region there."""
    words = []
    for k, ((lo, hi), r) in enumerate(zip(text.regions, found.regions)):
        start, end = (len(text.text[:at].encode("utf-8", "surrogatepass")) for at in (lo, hi))
        spelled = text.text[lo:hi]
        nats = r.surprisal + r.ending
        words.append(
            Word(k, spelled, lo, hi, start, end, nats, r.ending, r.bounded, r.entropy, r.tokens, r.seen)
        )
    return Worded(text.text, text.given, tuple(words), found.total, found.terms)
