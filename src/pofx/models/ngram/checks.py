"""The checks of the numbers of a saved n-gram model, which read the whole file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pofx.algorithms.prefix_table import PrefixTable
from pofx.errors import BadSource
from pofx.models.ngram.counting import Codes
from pofx.models.ngram.smoothing import Levels

Refuse = Callable[[str], BadSource]


def check_numbers(table: PrefixTable, levels: Levels, vocab_size: int, bad: Refuse) -> None:
    """Check that the n-grams rise, that the groups are those of the n-grams, and that all numbers are probabilities.

    Args:
        table: The n-grams, with the groups of the file.
        levels: The numbers, whose columns may be shorter or longer than the groups.
        vocab_size: The number of outcomes.
        bad: A function that makes the error for what was found.

    Raises:
        BadSource: What `bad` makes.
    """
    words, packing = table.words, table.packing
    if len(words) > 1 and not _rises(words):
        raise bad("n-grams out of order")
    own = PrefixTable(words, packing)
    for k in range(1, packing.depth + 1):
        if k > 1 and not np.array_equal(own.parent(k), table.parent(k)):
            raise bad(f"other groups in 'parent.{k}' than those of the n-grams")
        for name, column, level in (
            (f"prob.{k}", levels.prob[k], k),
            (f"weight.{k - 1}", levels.weight[k - 1], k - 1),
        ):
            if len(column) != len(own.first(level)):
                raise bad(f"no column {name!r} of {len(own.first(level))} numbers")
            if not (np.isfinite(column).all() and (column >= 0).all()):
                raise bad(f"a number in {name!r} that is no probability")
    for (values, rows), (known, first) in zip(table.outer_stages, own.outer_stages, strict=True):
        if not np.array_equal(values, known) or not np.array_equal(rows, first):
            raise bad("other values of the first words than those of the n-grams")
    newest = packing.code(words, 0)
    beyond = words >> np.uint64(packing.bits * packing.per_word)
    begin = Codes(vocab_size).begin
    if len(newest) and (newest.min() < 1 or newest.max() > begin or beyond.any()):
        raise bad("codes outside the vocabulary")
    for k in range(1, packing.depth + 1):
        if (newest[own.first(k)][levels.seen[k]] == begin).any():
            raise bad("x0 as an event, which it never is")


def _rises(words: np.ndarray[Any, Any]) -> bool:
    above, below = words[1:], words[:-1]
    later = np.zeros(len(above), dtype=bool)
    equal = np.ones(len(above), dtype=bool)
    for w in range(words.shape[1]):
        later |= equal & (above[:, w] > below[:, w])
        equal &= above[:, w] == below[:, w]
    return bool(later.all())
