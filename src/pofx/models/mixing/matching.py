"""The match model: the latest place of the text with the same six bytes before it says which byte comes next."""

# mypy: ignore-errors
# numba infers the types here. A signed and an unsigned integer of 64 bits would make a float, so unsigned integers are
# marked as such.

from __future__ import annotations

import numpy as np

from pofx.models.mixing.compiled import compiled
from pofx.models.mixing.contexts import LAST, MATCH, PLACE

SHORTEST = 6  # the number of bytes of the shortest match, which the hash below has
_K = np.uint64(0x9E3779B97F4A7C15)
_SIX = np.uint64(0xFFFFFFFFFFFF)


@compiled
def expected_byte(text, history):
    """Return 256 plus the byte that the match expects, or 0 without a match."""
    return np.int64(text[history[PLACE]]) | 256 if history[MATCH] > np.uint64(0) else np.int64(0)


@compiled
def strength_of(history):
    """Return the class of the length of the match, from 0 to 31."""
    length = np.int64(history[MATCH])
    return length if length < 16 else min(16 + (length - 16) // 8, 31)


@compiled
def slot_of(at, history):
    """Return where the memory has the latest place with the last six bytes of a history."""
    return at.latest + np.int64(((history[LAST] & _SIX) * _K) >> np.uint64(64 - at.recent))


@compiled
def step_match(memory, at, text, known, history, byte):
    """Move the match behind a byte that was appended, or look for another match.

    Args:
        memory: The memory.
        at: The layout of the memory.
        text: The text of the fit.
        known: The number of bytes of the text.
        history: The history, to which the byte was appended.
        byte: The byte.
    """
    if history[MATCH] > np.uint64(0) and np.int64(text[history[PLACE]]) == byte:
        history[PLACE] += np.uint64(1)
        history[MATCH] += np.uint64(1)
    else:
        place, last, length = np.int64(memory[slot_of(at, history)]), history[LAST], 0
        while length < min(8, place) and np.int64(text[place - 1 - length]) == np.int64(
            (last >> np.uint64(8 * length)) & np.uint64(0xFF)
        ):
            length += 1
        found = length >= SHORTEST
        history[PLACE] = np.uint64(place) if found else np.uint64(0)
        history[MATCH] = np.uint64(length) if found else np.uint64(0)
    if np.int64(history[PLACE]) >= known:
        history[PLACE] = history[MATCH] = np.uint64(0)
