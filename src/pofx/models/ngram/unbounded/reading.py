"""Reading texts by an unbounded n-gram: many stretches of the texts at once, a token of each at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.suffix_array import Index
from pofx.models.ngram.smoothing import Probs
from pofx.models.ngram.unbounded.smoothed import Smoothed

# How many stretches are read at once at most, and how many tokens a stretch has at least. A step of 1 row took 0.2 ms, and a
# step of 4,096 rows 6 ms.
ROWS = 4096
SHORTEST = 64
# How many tokens before a stretch are read first. Matches are shorter, on average 10 tokens over bytes.
LEAD = 32


@dataclass(frozen=True, eq=False)
class Reading:
    """What was read at each position of some texts that are laid end to end.

    Attributes:
        p: `[tokens]`, p of each token.
        place: `[tokens]`, the place of the match before each token.
        length: `[tokens]`, the length of that match.
    """

    p: Probs
    place: Index
    length: Index


def read(numbers: Smoothed, flat: NDArray[np.int64], lengths: Index) -> Reading:
    """Read texts, and report p of each token.

    A stretch of a text is read from a few tokens before it, from the empty match. If the match at the first token of the
    stretch is shorter than what was read, it is the match of the whole history. Otherwise the stretch is read again, from
    four times as many tokens before it.

    Args:
        numbers: The model.
        flat: The tokens of all texts.
        lengths: `[texts]`, the number of tokens of each text.
    """
    total = len(flat)
    out = Reading(np.zeros(total), np.zeros(total, dtype=np.int64), np.zeros(total, dtype=np.int64))
    size = max(SHORTEST, -(-total // ROWS))
    pieces = -(-lengths // size)
    text = np.repeat(np.arange(len(lengths)), pieces)
    origin = (np.cumsum(lengths) - lengths)[text]
    begin = origin + size * (np.arange(len(text)) - (np.cumsum(pieces) - pieces)[text])
    end = np.minimum(begin + size, origin + lengths[text])
    lead = LEAD
    while len(begin):
        start = np.maximum(begin - lead, origin)
        known = np.zeros(len(begin), dtype=bool)
        for lo in range(0, len(begin), ROWS):
            some = slice(lo, lo + ROWS)
            known[some] = _read_rows(numbers, flat, out, origin[some], start[some], begin[some], end[some])
        again = ~known
        origin, begin, end, lead = origin[again], begin[again], end[again], 4 * lead
    return out


def _read_rows(
    numbers: Smoothed, flat: Index, out: Reading, origin: Index, start: Index, begin: Index, end: Index
) -> NDArray[np.bool_]:
    """Read one stretch a row, and return whether the match at the beginning of each is the match of its whole history."""
    whole = start == origin
    place = np.where(whole, numbers.table.alone[-1], 0).astype(np.int64)
    length = (place != 0).astype(np.int64)
    known = np.ones(len(start), dtype=bool)
    at, going = start.copy(), np.arange(len(start))
    while len(going):
        here = at[going]
        first = here == begin[going]
        known[going[first]] = whole[going[first]] | (length[going[first]] < (begin - start)[going[first]])
        p, to, longer = numbers.advance(place[going], length[going], flat[here])
        mine = (here >= begin[going]) & known[going]
        out.p[here[mine]] = p[mine]
        out.place[here[mine]], out.length[here[mine]] = place[going[mine]], length[going[mine]]
        place[going], length[going] = to, longer
        at[going] += 1
        going = going[(at[going] < end[going]) & known[going]]
    return known
