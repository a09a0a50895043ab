"""The memory of a mixing model: one array of 32-bit integers, in which each part has its place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.coding.adaptive_tables import Tables
from pofx.models.mixing.contexts import CONTEXTS
from pofx.models.mixing.deciding import FINALS, INPUTS, LINE, ROWS, SETS, STEPS

LEAST_BITS, MOST_BITS = 6, 22

# The first weight of each input, in 65,536ths: the log odds of eleven contexts, three each, add up to about the right size.
_WEIGHT = 9000


class Layout(NamedTuple):
    """Where each part of the memory begins, in integers.

    Attributes:
        bits: log2 of the number of slots that a context has.
        recent: log2 of the number of places that the match model remembers.
        fine: log2 of the number of contexts that a refining map tells apart.
        maps: The probability of a one after each history of bits, for each context.
        order0: The probability at each node of the tree of bytes.
        matched: The probability that a match is right, by its length.
        ended: The probability that byte 255 is EOS, by the byte before.
        weights: The weights of the mixers.
        final: The weights of the last mixer.
        refined: The two refining maps.
        latest: The place behind the latest occurrence of each hash of six bytes.
        size: The number of integers.
    """

    bits: int
    recent: int
    fine: int
    maps: int
    order0: int
    matched: int
    ended: int
    weights: int
    final: int
    refined: int
    latest: int
    size: int


def layout(bits: int) -> Layout:
    """Return the layout for 2^bits slots a context."""
    fine, recent = min(bits + 2, 16), min(bits + 2, 20)
    maps = CONTEXTS * (LINE << bits)
    order0 = maps + CONTEXTS * 256
    matched = order0 + 256
    ended = matched + 64
    weights = ended + 256
    final = weights + ROWS * INPUTS
    refined = final + FINALS * LINE
    latest = refined + 2 * (LINE << fine)
    return Layout(
        bits,
        recent,
        fine,
        maps,
        order0,
        matched,
        ended,
        weights,
        final,
        refined,
        latest,
        latest + (1 << recent),
    )


def layout_for(length: int, memory: int) -> Layout:
    """Return the largest layout that a text of `length` bytes fills, and that takes at most `memory` bytes."""
    bits = LEAST_BITS
    while bits < min(MOST_BITS, length.bit_length()) and 4 * layout(bits + 1).size <= memory:
        bits += 1
    return layout(bits)


def fresh(at: Layout, tables: Tables) -> NDArray[np.int32]:
    """Return the memory before the first byte."""
    memory = _aligned(at.size)
    first = (tables.first.astype(np.int64) << 14).astype(np.uint32)
    memory[at.maps : at.order0] = np.tile(first.view(np.int32), CONTEXTS)
    memory[at.order0 : at.matched] = 32768
    memory[at.matched : at.ended] = 40000 << 8
    memory[at.ended : at.weights] = 32768 << 8
    memory[at.weights : at.final] = _WEIGHT
    memory[at.final : at.refined] = 65536 // SETS
    centre = np.minimum((4096 * np.arange(2 * LINE) + STEPS // 2) // STEPS, 4095)
    pairs = tables.squash[centre].astype(np.int64).reshape(LINE, 2) @ [1, 1 << 16]
    memory[at.refined : at.latest] = np.tile(pairs.astype(np.uint32).view(np.int32), 2 << at.fine)
    return memory


def _aligned(size: int) -> NDArray[np.int32]:
    """Return zeros that begin with a line of the cache, so that a slot does not lie in two lines."""
    room = np.zeros(size + LINE, dtype=np.int32)
    return room[-room.ctypes.data % (4 * LINE) // 4 :][:size]
