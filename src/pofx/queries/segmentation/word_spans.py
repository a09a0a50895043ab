"""Runs of characters that are words, as arrays: a text may have as many as characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadValue
from pofx.lm.trace import Ints
from pofx.queries.segmentation.characters import test_characters


@dataclass(frozen=True, eq=False)
class WordSpans:
    """Characters `[start, end)` of a text, in order.

    spans: `[w, 2]`. bounded: `[w]`, whether a boundary behind it is part of the event "this word comes now". outside:
    `[w]`, whether it is no word at all, but stands between regions.
    """

    spans: Ints
    bounded: NDArray[np.bool_]
    outside: NDArray[np.bool_]

    @classmethod
    def words(cls, spans: Ints, bounded: NDArray[np.bool_] | bool) -> WordSpans:
        """Words, of which nothing stands outside."""
        n = len(spans)
        return cls(spans.reshape(n, 2), np.broadcast_to(bounded, n), np.zeros(n, dtype=np.bool_))


def separated_spans(separates: NDArray[np.bool_], alone: NDArray[np.bool_]) -> WordSpans:
    """What stands between separators, bounded; and each of the characters `alone`, which are separators, by itself."""
    inside = np.concatenate([[False], ~separates, [False]])
    edges = np.flatnonzero(inside[1:] != inside[:-1]).reshape(-1, 2)
    single = np.flatnonzero(alone)
    spans = np.concatenate([edges, np.stack([single, single + 1], axis=1)])
    # One character of punctuation is whole, whatever comes behind it.
    bounded = np.append(np.ones(len(edges), dtype=np.bool_), np.zeros(len(single), dtype=np.bool_))
    order = np.argsort(spans[:, 0], kind="stable")
    return WordSpans.words(spans[order], bounded[order])


def region_spans(text: str, found: Sequence[tuple[int, int]] | Ints) -> WordSpans:
    """The given spans, and what stands between them that is not white space, as spans outside of all.

    A region that ends before white space, or with the text, counts that boundary as a word does; one that ends
    elsewhere may be followed by anything.
    """
    spans = np.array(found, dtype=np.int64).reshape(-1, 2)
    n = len(text)
    before = np.append(0, spans[:-1, 1]) if len(spans) else spans[:, 1]
    wrong = (spans[:, 0] < before) | (spans[:, 0] >= spans[:, 1]) | (spans[:, 1] > n)
    if wrong.any():
        k = int(wrong.argmax())
        raise BadValue(
            f"units: expected regions (start, end) in order, none empty, none overlapping, in a text of {n} "
            f"characters, found ({spans[k, 0]}, {spans[k, 1]}) behind {before[k]}",
            None,
        )
    space = test_characters(str.isspace, text)
    # Where text between regions begins and ends: at its first and last character that is no white space.
    solid = np.flatnonzero(~space)
    low, high = np.append(0, spans[:, 1]), np.append(spans[:, 0], n)
    first, last = np.searchsorted(solid, low), np.searchsorted(solid, high)
    some = last > first
    between = np.stack([solid[first[some]], solid[last[some] - 1] + 1], axis=1)
    together = np.concatenate([spans, between])
    outside = np.append(np.zeros(len(spans), dtype=np.bool_), np.ones(len(between), dtype=np.bool_))
    order = np.argsort(together[:, 0], kind="stable")
    together = together[order]
    return WordSpans(together, np.append(space, True)[together[:, 1]], outside[order])
