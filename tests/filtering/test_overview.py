"""The overview of a filter: counts, bars, and the documents nearest to each bound, against a sort of all documents."""

from __future__ import annotations

import math
import random

import pytest

from pofx.filtering.bounds import Bounds
from pofx.filtering.overview import BARS, NEAREST, Seen, overview


def documents(seed: int, n: int = 300) -> list[Seen]:
    rng = random.Random(seed)
    out = []
    for k in range(n):
        bits = round(rng.gauss(2.5, 0.6), 2)
        reason = "improbable" if bits > 3 else "predictable" if bits < 2 else rng.choice(["", "", "copy"])
        out.append(Seen(f"d{k}", "text", "en", bits, reason))
    out += [Seen(f"u{k}", "text", None, 9.0, "language") for k in range(9)]
    return [*out, Seen("e", "", "en", math.nan, "empty")]


@pytest.mark.parametrize("seed", range(5))
def test_examples_are_the_nearest_documents(seed: int) -> None:
    seen = documents(seed)
    found = overview(
        {"en": Bounds(2, 3, "quantiles", 1, 1), "de": Bounds(-math.inf, 3, "labels", 1, 1)}, seen
    )
    english, german = found.languages
    kept = [d for d in seen if not d.reason]
    for edge, beyond in zip(english.edges, ("predictable", "improbable")):
        for side, of in ((edge.inside, kept), (edge.outside, [d for d in seen if d.reason == beyond])):
            assert list(side) == sorted(of, key=lambda d: abs(d.bits_per_byte - edge.value))[:NEAREST]
    assert [e.name for e in english.edges] == ["lower", "upper"]
    assert [e.name for e in german.edges] == ["upper"]
    assert (german.bars, german.edges[0].inside) == ((), ())
    assert [d.id for d in found.unknown] == [f"u{k}" for k in range(NEAREST)]


def test_bars_and_reasons_count_every_document() -> None:
    seen = [*documents(1), Seen("far", "x", "en", 700.0, "improbable")]
    found = overview({"en": Bounds(2, 3, "quantiles", 1, 1)}, seen)
    bars = found.languages[0].bars
    assert len(bars) <= BARS
    assert sum(kept + rest for _, kept, rest in bars) == sum(
        not math.isnan(d.bits_per_byte) and d.language is not None for d in seen
    )
    assert sum(kept for _, kept, _ in bars) == found.kept == sum(not d.reason for d in seen)
    assert found.documents == len(seen) == found.kept + sum(n for _, n in found.reasons)
    assert [b[0] for b in bars] == sorted({b[0] for b in bars})


def test_a_document_that_fell_at_one_bound_is_no_example_of_the_other() -> None:
    low, kept = Seen("low", "x", "en", 1.9, "predictable"), Seen("kept", "y", "en", 2.5, "")
    (english,) = overview({"en": Bounds(2, 3, "quantiles", 1, 1)}, [low, kept]).languages
    lower, upper = english.edges
    assert (lower.inside, lower.outside) == ((kept,), (low,))
    assert (upper.inside, upper.outside) == ((kept,), ())
