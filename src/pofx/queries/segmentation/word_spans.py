"""Words as runs of characters, in arrays, since a text may have as many words as characters."""

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
    """Words `[start, end)` of a text, in order.

    Attributes:
        spans: The beginning and the end of each word, characters, `[w, 2]`.
        bounded: Whether a boundary after the word is part of the event "this word comes next", `[w]`.
        outside: Whether the run is no word, but text between regions, `[w]`.
    """

    spans: Ints
    bounded: NDArray[np.bool_]
    outside: NDArray[np.bool_]

    @classmethod
    def words(cls, spans: Ints, bounded: NDArray[np.bool_] | bool) -> WordSpans:
        """Make words without runs between regions."""
        n = len(spans)
        return cls(spans.reshape(n, 2), np.broadcast_to(bounded, n), np.zeros(n, dtype=np.bool_))


def separated_spans(separates: NDArray[np.bool_], alone: NDArray[np.bool_]) -> WordSpans:
    """Find the words between separators.

    Args:
        separates: Whether each character is a separator, `[n]`.
        alone: Whether each character is a word by itself, `[n]`; such characters are separators.

    Returns:
        The words in order. A word between separators is bounded; a character that is a word by itself is not.
    """
    inside = np.concatenate([[False], ~separates, [False]])
    edges = np.flatnonzero(inside[1:] != inside[:-1]).reshape(-1, 2)
    single = np.flatnonzero(alone)
    spans = np.concatenate([edges, np.stack([single, single + 1], axis=1)])
    # A character of punctuation is a whole word, with any character after it.
    bounded = np.append(np.ones(len(edges), dtype=np.bool_), np.zeros(len(single), dtype=np.bool_))
    order = np.argsort(spans[:, 0], kind="stable")
    return WordSpans.words(spans[order], bounded[order])


def region_spans(text: str, where: Sequence[tuple[int, int]] | Ints) -> WordSpans:
    """Return regions as words, and the text between regions as runs that are no words.

    White space at the ends of a run between regions is left out. A region that ends before white space or with the text is
    bounded, as a word is. Any character may follow another region.

    Args:
        text: The text.
        where: (start, end) of each region, in characters.

    Returns:
        The words and the runs between them, in order.

    Raises:
        BadValue: A region is empty, outside the text, or overlaps the region before.
    """
    spans = np.array(where, dtype=np.int64).reshape(-1, 2)
    n = len(text)
    before = np.append(0, spans[:-1, 1]) if len(spans) else spans[:, 1]
    wrong = (spans[:, 0] < before) | (spans[:, 0] >= spans[:, 1]) | (spans[:, 1] > n)
    if wrong.any():
        k = int(wrong.argmax())
        raise BadValue(
            f"expected regions (start, end) in order, none empty, none overlapping, in a text of {n} "
            f"characters, got ({spans[k, 0]}, {spans[k, 1]}) after {before[k]}",
            "sort the regions, and leave no overlap",
            argument="units",
        )
    space = test_characters(str.isspace, text)
    # A run between regions begins and ends at its first and last character that is no white space.
    solid = np.flatnonzero(~space)
    low, high = np.append(0, spans[:, 1]), np.append(spans[:, 0], n)
    first, last = np.searchsorted(solid, low), np.searchsorted(solid, high)
    filled = last > first
    between = np.stack([solid[first[filled]], solid[last[filled] - 1] + 1], axis=1)
    together = np.concatenate([spans, between])
    outside = np.append(np.zeros(len(spans), dtype=np.bool_), np.ones(len(between), dtype=np.bool_))
    order = np.argsort(together[:, 0], kind="stable")
    together = together[order]
    return WordSpans(together, np.append(space, True)[together[:, 1]], outside[order])
