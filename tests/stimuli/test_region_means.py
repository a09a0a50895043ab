"""Mean surprisals by condition and region, against sums that are written out here."""

from __future__ import annotations

import math
from typing import Any

import pytest

import pofx
from pofx.stimuli.region_means import region_means
from pofx.stimuli.regions import measure_regions
from pofx.stimuli.stimulus_fields import find_fields
from pofx.stimuli.stimulus_texts import read_texts_of_rows
from small_models import BYTES

SENTENCES = {
    ("1", "a"): [("the", "np"), ("cat", "np"), ("sat", "verb")],
    ("1", "b"): [("the", "np"), ("dog", "np"), ("sat", "verb"), ("on", "")],
    ("2", "a"): [("a", "np"), ("dog", "np"), ("ran", "verb")],
    ("2", "b"): [("a", "np"), ("cat", "np"), ("ran", "verb")],
    ("3", "b"): [("dogs", "np"), ("sat", "verb")],
}
ROWS: list[dict[str, Any]] = [
    {"item": item, "condition": condition, "word": word, "roi": roi}
    for (item, condition), words in SENTENCES.items()
    for word, roi in words
]
FIELDS = find_fields(list(ROWS[0]))
TEXTS = read_texts_of_rows(ROWS, FIELDS)
MEASURED = measure_regions(BYTES, TEXTS)


def nats() -> dict[tuple[str, str], list[float]]:
    """The surprisal of each word of each text, which two numbers of the model give."""
    return {
        key: [w.surprisal - w.ending for w in pofx.words(BYTES, [" ".join(x for x, _ in words)])[0].words]
        for key, words in SENTENCES.items()
    }


def test_a_named_region_has_the_sum_of_its_words_and_a_condition_the_mean_of_its_texts() -> None:
    found = region_means(ROWS, FIELDS, TEXTS, MEASURED, "condition", "roi")
    own = nats()
    assert [(m.condition, m.region, m.texts) for m in found.regions] == [
        ("a", "np", 2),
        ("a", "verb", 2),
        ("b", "np", 3),
        ("b", "verb", 3),
    ]
    for m in found.regions:
        values = [
            sum(n for n, (_, roi) in zip(own[key], words) if roi == m.region)
            for key, words in SENTENCES.items()
            if key[1] == m.condition
        ]
        assert m.mean == pytest.approx(sum(values) / len(values), abs=1e-9)
        assert min(values) - 1e-9 <= m.low <= m.mean <= m.high <= max(values) + 1e-9
    assert found.regions[0].strings == ("the cat", "a dog")
    for m in found.overall:
        words = [
            n
            for key, all_ in own.items()
            if key[1] == m.condition
            for n, (_, roi) in zip(all_, SENTENCES[key])
            if roi
        ]
        assert m.mean == pytest.approx(sum(words) / len(words), abs=1e-9)
    assert [(m.condition, m.region, m.texts) for m in found.differences] == [
        ("b − a", "np", 2),
        ("b − a", "verb", 2),
    ]
    gaps = [own[i, "b"][2] - own[i, "a"][2] for i in "12"]
    assert found.differences[1].mean == pytest.approx(sum(gaps) / 2, abs=1e-9)


def test_without_names_a_region_is_a_place_and_one_item_has_no_interval() -> None:
    found = region_means(ROWS, FIELDS, TEXTS, MEASURED)
    assert [m.region for m in found.regions] == ["1", "2", "3", "4"]
    assert [m.texts for m in found.regions] == [5, 5, 4, 1]
    assert found.differences == ()
    own = nats()
    assert found.regions[1].mean == pytest.approx(sum(v[1] for v in own.values()) / 5, abs=1e-9)
    assert math.isnan(found.regions[3].low)
    assert found.overall[0].mean == pytest.approx(
        sum(n for v in own.values() for n in v) / sum(map(len, own.values())), abs=1e-9
    )
