"""The checks of the numbers of a saved n-gram model, which read the whole file, a stretch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pofx.algorithms.prefix_table import PackedStrings, PrefixTable
from pofx.models.ngram.counting import Codes
from pofx.models.ngram.quantized import Rounded
from pofx.models.ngram.smoothing import Levels
from pofx.models.saved_table import Refuse

# How many rows are checked at a time. They take about 60 MB at order 6, so that a fit within 256 MB can load its model.
_ROWS = 1 << 18


def check_numbers(table: PrefixTable, levels: Levels, vocab_size: int, bad: Refuse) -> None:
    """Check that the n-grams rise, that the groups are those of the n-grams, and that all numbers are finite and at least 0.

    Args:
        table: The n-grams, with the groups of the file.
        levels: The numbers, whose columns may be shorter or longer than the groups.
        vocab_size: The number of outcomes.
        bad: A function that makes the error for what was found.

    Raises:
        BadSource: What `bad` makes.
    """
    sizes = _check_rows(table, levels, Codes(vocab_size).begin, bad)
    for k in range(1, table.packing.depth + 1):
        for name, column, level in (("prob", levels.prob[k], k), ("weight", levels.weight[k - 1], k - 1)):
            if len(column) != sizes[level]:
                raise bad(f"no column '{name}.{level}' of {sizes[level]} numbers")
            if not all(map(_are_probabilities, _parts(column))):
                raise bad(f"a number in '{name}.{level}' that is no probability")
        rounded: Any = levels.prob[k]
        if isinstance(rounded, Rounded) and not np.array_equal(rounded.codes != 0, levels.seen[k]):
            raise bad(f"codes in 'prob.{k}' of other n-grams than those of 'seen.{k}'")


def _check_rows(table: PrefixTable, levels: Levels, begin: int, bad: Refuse) -> list[int]:
    """Check the n-grams, their groups, and that x0 is no event; return the number of groups of each level."""
    packing = table.packing
    order = packing.depth
    sizes = [1] + [0] * order
    before: PackedStrings = np.zeros((0, packing.words), dtype=np.uint64)
    for start in range(0, len(table), _ROWS):
        words = table.words[start : start + _ROWS]
        both = np.concatenate([before, words])
        if not _rises(both):
            raise bad("n-grams out of order")
        newest = packing.code(words, 0)
        beyond = words >> np.uint64(packing.bits * packing.per_word)
        if newest.min() < 1 or newest.max() > begin or beyond.any():
            raise bad("codes outside the vocabulary")
        fresh = np.zeros(len(words), dtype=bool)
        fresh[: 1 - len(before)] = True  # the first row of the table
        below = np.zeros(len(words), dtype=np.int64)
        for k in range(1, order + 1):
            w, place = divmod(k - 1, packing.per_word)
            column = both[:, w] >> packing.shift(place)
            fresh[1 - len(before) :] |= column[1:] != column[:-1]
            at = np.flatnonzero(fresh)
            ours = slice(sizes[k], sizes[k] + len(at))
            if k > 1 and not np.array_equal(table.parent(k)[ours], below[at]):
                raise bad(f"other groups in 'parent.{k}' than those of the n-grams")
            if (levels.seen[k][ours] & (newest[at] == begin)[: len(levels.seen[k][ours])]).any():
                raise bad("x0 as an event, which it never is")
            if place == packing.per_word - 1 and w < packing.words - 1:
                values, rows = table.outer_stages[w]
                if not np.array_equal(values[ours], words[at, w]) or not np.array_equal(
                    rows[ours], start + at
                ):
                    raise bad(f"other values in 'values.{w}' and 'rows.{w}' than those of the n-grams")
            below = sizes[k] - 1 + np.cumsum(fresh)
            sizes[k] += len(at)
        before = words[-1:]
    for w in range(packing.words - 1):
        if len(table.outer_stages[w][0]) != sizes[(w + 1) * packing.per_word]:
            raise bad(f"other values in 'values.{w}' than those of the n-grams")
    return sizes


def _parts(column: Any) -> list[np.ndarray[Any, Any]]:
    return [column.book, column.scale] if isinstance(column, Rounded) else [column]


def _are_probabilities(numbers: np.ndarray[Any, Any]) -> bool:
    return all(bool((np.isfinite(part) & (part >= 0)).all()) for part in _stretches(numbers))


def _stretches(numbers: np.ndarray[Any, Any]) -> Iterator[np.ndarray[Any, Any]]:
    for start in range(0, len(numbers), _ROWS):
        yield numbers[start : start + _ROWS]


def _rises(words: PackedStrings) -> bool:
    above, below = words[1:], words[:-1]
    later = np.zeros(len(above), dtype=bool)
    equal = np.ones(len(above), dtype=bool)
    for w in range(words.shape[1]):
        later |= equal & (above[:, w] > below[:, w])
        equal &= above[:, w] == below[:, w]
    return bool(later.all())
