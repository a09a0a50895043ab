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
# How many tokens before a stretch are read first. Most matches are shorter; over bytes they have 10 tokens on average.
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


@dataclass(frozen=True, eq=False)
class _Stretches:
    """The stretches of all texts. Local to one call of `read`, which changes the arrays.

    Attributes:
        begin: Where each stretch begins.
        end: Where each stretch ends.
        stop: Where the part of each stretch that has been read begins.
        place: The place of the match at the end of each stretch.
        length: The length of this match.
        known: Whether this match is the match of the whole history.
    """

    begin: Index
    end: Index
    stop: Index
    place: Index
    length: Index
    known: NDArray[np.bool_]


def read(numbers: Smoothed, flat: NDArray[np.int64], lengths: Index) -> Reading:
    """Read texts, and report p of each token.

    The reading of a stretch begins a few tokens before the stretch, with the empty match. As soon as a match is shorter than
    the tokens that were read, this match and all later matches are those of the whole history. The earlier tokens of the
    stretch are read again when the match at the end of the stretch before is known.

    Args:
        numbers: The model.
        flat: The tokens of all texts.
        lengths: `[texts]`, the number of tokens of each text.

    Returns:
        p of each token, and the match before each token.
    """
    total = len(flat)
    out = Reading(np.zeros(total), np.zeros(total, dtype=np.int64), np.zeros(total, dtype=np.int64))
    size = max(SHORTEST, -(-total // ROWS))
    pieces = -(-lengths // size)
    text = np.repeat(np.arange(len(lengths)), pieces)
    origin = (np.cumsum(lengths) - lengths)[text]
    begin = origin + size * (np.arange(len(text)) - (np.cumsum(pieces) - pieces)[text])
    end = np.minimum(begin + size, origin + lengths[text])
    start = np.maximum(begin - LEAD, origin)
    known = start == origin
    place = np.where(known, numbers.table.alone[-1], 0).astype(np.int64)
    rows = _Stretches(begin, end, end.copy(), place, (place != 0).astype(np.int64), known)
    for lo in range(0, len(begin), ROWS):
        some = np.arange(lo, min(lo + ROWS, len(begin)))
        _read_some(numbers, flat, out, rows, some, start[some])
    left = np.flatnonzero(rows.stop > begin)
    while len(left):
        # The first stretch of a text is known, so the first one that is left follows a stretch whose end is known.
        some = left[rows.known[left - 1]][:ROWS]
        ends = rows.known[some], rows.place[some], rows.length[some]
        rows.place[some], rows.length[some] = rows.place[some - 1], rows.length[some - 1]
        rows.known[some] = True
        _read_some(numbers, flat, out, rows, some, begin[some])
        rows.place[some], rows.length[some] = (
            np.where(ends[0], old, new) for old, new in zip(ends[1:], (rows.place[some], rows.length[some]))
        )
        left = left[rows.stop[left] > begin[left]]
    return out


def _read_some(
    numbers: Smoothed, flat: Index, out: Reading, rows: _Stretches, some: Index, start: Index
) -> None:
    """Read some stretches from `start` on, up to the parts that have been read, and write to `out` and `rows`."""
    place, length, known = rows.place[some], rows.length[some], rows.known[some]
    begin, end = rows.begin[some], rows.stop[some]
    stop = np.where(known, begin, end)
    at, going = start.copy(), np.arange(len(some))
    while len(going):
        here, own, matched = at[going], place[going], length[going]
        fresh = ~known[going] & ((matched < here - start[going]) | numbers.is_settled(own, matched))
        new = going[fresh]
        known[new], stop[new] = True, np.maximum(here[fresh], begin[new])
        p, place[going], length[going] = numbers.advance(own, matched, flat[here])
        mine = known[going] & (here >= begin[going])
        report = here[mine]
        out.p[report], out.place[report], out.length[report] = p[mine], own[mine], matched[mine]
        at[going] += 1
        going = going[at[going] < end[going]]
    # A match that is read at the very end is known too, if it is shorter than what was read.
    rows.place[some], rows.length[some] = place, length
    rows.known[some], rows.stop[some] = known | (length < at - start), stop
