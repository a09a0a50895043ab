"""Learning from a symbol: weights, refining maps, counts and histories of bits move towards the decisions that were made."""

# mypy: ignore-errors
# numba infers the types here. A signed and an unsigned integer of 64 bits would make a float, so unsigned integers are
# marked as such.

from __future__ import annotations

import numpy as np

from pofx.models.mixing.compiled import compiled
from pofx.models.mixing.contexts import END, LAST
from pofx.models.mixing.deciding import FINAL, HALF, INPUTS, MIXED, NEAR, SETS
from pofx.models.mixing.slots import find_or_make

LIMIT = 255  # the most observations of which a probability is the mean


@compiled
def toward(p, n, y, rate):
    """Return the mean of n + 1 bits: n bits of mean p, and the bit y."""
    return p + ((((65535 if y else 0) - p) * rate[n]) >> 16)


@compiled
def train(x, b, memory, row, error):
    """Move the weights of a mixer along the gradient of log p.

    Twice the step costs 0.0024 nats a character on Tiny-shakespeare, and half the step 0.0001. A product fits 32 bits:
    2,047 × 65,504.
    """
    first, error32 = np.uint64(row), np.int32(error)
    for i in range(x.shape[1]):
        step = np.int32(np.int32(x[b, i] * error32) + np.int32(1 << 17)) >> 18
        memory[first + np.uint64(i)] += np.int32(step)


@compiled
def count(memory, index, y, rate):
    """Move a probability of 24 bits, whose lowest 8 are the number of observations, toward the bit y."""
    mean, n = np.int64(memory[index]) >> 8, np.int64(memory[index]) & 0xFF
    memory[index] = (toward(mean, n, y, rate) << 8) | min(n + 1, 255)


@compiled
def learn(memory, at, tables, history, strength, expected, symbol, slots, checks, foreseen, x, mixed):
    """Change the memory by one symbol, for which `decide` has just written the last five arguments.

    Args:
        memory: The memory.
        at: The layout of the memory.
        tables: The logistic function, its inverse, the histories of bits, the rates.
        history: The history before the symbol.
        strength: The class of the length of the match.
        expected: 256 plus the byte that the match expects, or 0.
        symbol: The symbol.
        slots: As in `decide`, as the other arguments.
        checks: The slot and the check of each context.
        foreseen: Whether the match expected the node of each depth.
        x: The inputs of the mixers at each depth.
        mixed: What else `decide` left at each depth.
    """
    squash, _, after, rate = tables
    byte = min(symbol, 255)
    for b in range(
        len(mixed)
    ):  # a number that the compiler knows would be unrolled, at seconds of compilation
        y = (byte >> (7 - b)) & 1
        node0, below = (256 | byte) >> (8 - b), b & 3
        node = (1 << below) | (node0 & ((1 << below) - 1))
        half = b >> 2
        whole, one = (65536, 65535) if y else (0, 0)
        error = whole - mixed[b, MIXED]
        for s in range(SETS):
            d = mixed[b, SETS + s]
            memory[mixed[b, FINAL] + s] += np.int32((d * error + (1 << 17)) >> 18)
            train(x, b, memory, at.weights + mixed[b, s] * INPUTS, whole - np.int64(squash[d + 2048]))
        for k in range(2):
            shift = mixed[b, HALF]
            near = (np.int64(memory[mixed[b, NEAR + k]]) >> shift) & 0xFFFF
            memory[mixed[b, NEAR + k]] += np.int32(((one - near) >> 7) << shift)
        memory[at.order0 + node0] += (one - memory[at.order0 + node0]) >> 9
        for i in range(slots.shape[1]):
            if slots[half, i] < 0:
                slots[half, i] = find_or_make(memory, checks[half, i, 0], np.int32(checks[half, i, 1]))
            index = slots[half, i] + node
            cell = np.int64(memory[index]) & 0xFFFFFFFF
            bits, n = cell & 0xFF, (cell >> 8) & 0xFF
            if bits != 0:
                j = at.maps + 256 * i + bits
                v = np.int64(memory[j]) & 0xFFFFFFFF
                mean, m = v >> 10, v & 0x3FF
                mean += ((((1 << 22) - 1 if y else 0) - mean) >> 3) * rate[m] >> 13
                memory[j] = np.int32((mean << 10) | min(m + 1, 255))
            mean = toward(cell >> 16, n, y, rate)
            memory[index] = np.int32((mean << 16) | (min(n + 1, LIMIT) << 8) | np.int64(after[y, bits]))
        if foreseen[b]:
            count(memory, at.matched + strength, ((expected >> (7 - b)) & 1) == y, rate)
    if byte == 255:
        count(memory, at.ended + np.int64(history[LAST] & np.uint64(0xFF)), symbol == END, rate)
