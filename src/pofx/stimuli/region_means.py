"""Mean surprisals of the regions of stimulus texts, by condition, with intervals over items."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pofx.algorithms.statistics.clusters import bootstrap_mean
from pofx.errors import PofxError
from pofx.stimuli.regions import MeasuredText
from pofx.stimuli.stimulus_fields import StimulusFields
from pofx.stimuli.stimulus_texts import Row, StimulusText

LEVEL, DRAWS = 0.95, 1000
_ALL = ""  # the condition of all texts, and the region of a whole text


@dataclass(frozen=True)
class RegionMean:
    """The mean surprisal of one region under one condition, or of two conditions the difference.

    Attributes:
        condition: The condition; "" without conditions.
        region: The name of the region; "" for a word of whichever region.
        texts: The number of texts, or of items with both conditions.
        mean: The mean of the surprisals, nats. Words of one text with one name count as one region, by their sum.
        low: The lower end of the 95 % interval, by a bootstrap of items; nan for fewer than two items.
        high: The upper end of this interval.
        strings: Some different strings of the region.
    """

    condition: str
    region: str
    texts: int
    mean: float
    low: float
    high: float
    strings: tuple[str, ...] = ()


@dataclass(frozen=True)
class MeansOfRegions:
    """The means of one model.

    Attributes:
        overall: The mean surprisal of a word of whichever region, for each condition.
        regions: The mean of each region, by condition and then in the order of the regions in the texts.
        differences: The second condition less the first, for each region, over items that have both; () unless there are
            two conditions.
    """

    overall: tuple[RegionMean, ...]
    regions: tuple[RegionMean, ...]
    differences: tuple[RegionMean, ...]


@dataclass(frozen=True)
class _Cell:
    """The surprisal of one named region of one text, whose words may be several."""

    text: int
    item: str
    condition: str
    region: str
    at: int
    nats: float
    words: int
    string: str


def region_means(
    rows: Sequence[Row],
    fields: StimulusFields,
    texts: Sequence[StimulusText],
    measured: Sequence[MeasuredText | PofxError],
    condition: str | None = None,
    region: str | None = None,
    seed: int = 0,
) -> MeansOfRegions:
    """Compute the mean surprisals of the regions of one model, by condition.

    Args:
        rows: The rows of the table.
        fields: The columns of the table.
        texts: The texts of the rows.
        measured: The numbers of the texts; texts with an error are left out.
        condition: The column of the condition; None for no conditions.
        region: The column with the name of a region; None for the place of the word, counted from 1.
        seed: The seed of the bootstrap.

    Returns:
        The means.
    """
    cells = [
        c
        for n, (t, m) in enumerate(zip(texts, measured))
        if not isinstance(m, PofxError)
        for c in _cells(n, rows, fields, t, m, condition, region)
    ]
    conditions = list(dict.fromkeys(c.condition for c in cells))
    places: dict[str, list[int]] = {}
    for c in cells:
        places.setdefault(c.region, []).append(c.at)
    order = sorted(places, key=lambda name: sum(places[name]) / len(places[name]))
    rng = np.random.default_rng(seed)
    by: dict[tuple[str, str], list[_Cell]] = {}
    for c in cells:
        by.setdefault((c.condition, c.region), []).append(c)
    overall, regions = [], []
    for name in conditions:
        own = [c for c in cells if c.condition == name]
        overall.append(_mean(own, name, _ALL, rng))
        regions += [_mean(by[name, r], name, r, rng) for r in order if (name, r) in by]
    differences: list[RegionMean] = []
    if len(conditions) == 2:
        first, second = conditions
        for r in order:
            found = _difference(
                by.get((first, r), []), by.get((second, r), []), r, f"{second} − {first}", rng
            )
            differences += [] if found is None else [found]
    return MeansOfRegions(tuple(overall), tuple(regions), tuple(differences))


def _cells(
    number: int,
    rows: Sequence[Row],
    fields: StimulusFields,
    text: StimulusText,
    measured: MeasuredText,
    condition: str | None,
    region: str | None,
) -> list[_Cell]:
    """Return the named regions of one text that have rows."""
    out: dict[str, _Cell] = {}
    for k, (held, (lo, hi), found) in enumerate(zip(text.rows, text.regions, measured.regions)):
        if not held:
            continue
        row = rows[held[0]]
        name = str(k + 1) if region is None else _shown(row.get(region))
        if not name:
            continue
        spelled, old = text.text[lo:hi], out.get(name)
        under = _ALL if condition is None else _shown(row.get(condition))
        item = _shown(row.get(fields.item[0]))
        if old is None:
            out[name] = _Cell(number, item, under, name, k, found.surprisal, 1, spelled)
        else:
            out[name] = replace(
                old, nats=old.nats + found.surprisal, words=old.words + 1, string=f"{old.string} {spelled}"
            )
    return list(out.values())


def _mean(cells: Sequence[_Cell], condition: str, region: str, rng: np.random.Generator) -> RegionMean:
    if region == _ALL:  # a word is what is counted, so a text counts by its number of words
        values = np.array([c.nats / c.words for c in cells for _ in range(c.words)])
        labels = [c.item for c in cells for _ in range(c.words)]
        n = len({c.text for c in cells})
    else:
        values, labels, n = np.array([c.nats for c in cells]), [c.item for c in cells], len(cells)
    low, high = _interval(values, labels, rng)
    strings = () if region == _ALL else tuple(dict.fromkeys(c.string for c in cells))
    return RegionMean(condition, region, n, float(values.mean()), low, high, strings)


def _difference(
    first: Sequence[_Cell], second: Sequence[_Cell], region: str, name: str, rng: np.random.Generator
) -> RegionMean | None:
    a, b = _by_item(first), _by_item(second)
    both = [i for i in a if i in b]
    if not both:
        return None
    values = np.array([b[i] - a[i] for i in both])
    low, high = _interval(values, both, rng)
    return RegionMean(name, region, len(both), float(values.mean()), low, high)


def _by_item(cells: Sequence[_Cell]) -> Mapping[str, float]:
    """Return the mean of each item, of which a table may hold several texts in one condition."""
    out: dict[str, list[float]] = {}
    for c in cells:
        out.setdefault(c.item, []).append(c.nats)
    return {item: math.fsum(nats) / len(nats) for item, nats in out.items()}


def _interval(values: Any, labels: Sequence[str], rng: np.random.Generator) -> tuple[float, float]:
    codes = {label: k for k, label in enumerate(dict.fromkeys(labels))}
    if len(codes) < 2 or not np.isfinite(values).all():
        return math.nan, math.nan
    return bootstrap_mean(values, np.array([codes[x] for x in labels]), LEVEL, DRAWS, rng)


def _shown(value: Any) -> str:
    return "" if value is None else str(value)
