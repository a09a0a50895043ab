"""The probability of each binary decision: what the contexts predict, mixed in the logistic domain and then refined."""

# mypy: ignore-errors
# numba infers the types here. A signed and an unsigned integer of 64 bits would make a float, so unsigned integers are
# marked as such.

from __future__ import annotations

import numpy as np

from pofx.models.mixing.compiled import compiled
from pofx.models.mixing.contexts import CONTEXTS, LAST, MATCH
from pofx.models.mixing.matching import expected_byte, strength_of
from pofx.models.mixing.slots import find, place_of

EACH = 3  # inputs a context
INPUTS = 40  # those of the contexts, one of order 0, two of the match, a constant; made up to a multiple of 8
SETS = 4  # sets of weights: by the node, by the contexts that were seen, by the last byte, by four counts
BY_SEEN = 256
BY_LAST = BY_SEEN + 16 * 12 * 8
BY_COUNTS = BY_LAST + 256
ROWS = BY_COUNTS + 256
FINALS = 128  # rows of the last mixer: by the depth, the longest context that was seen, and whether there is a match
# A row of a refining map has the probability at 32 log odds from -2,048 to 2,047, two in an integer: a line of the cache.
LINE = 16  # 16 integers of 32 bits are one line of a processor's cache
STEPS = 31
# What a decision leaves for learning: the row and the log odds of each set, the row of the last mixer, its probability,
# the two integers that refined it, and how far their 16 bits are shifted. The last one is written, and never read.
FINAL, MIXED, NEAR, HALF, FETCHED, LEFT = (
    2 * SETS,
    2 * SETS + 1,
    2 * SETS + 2,
    2 * SETS + 4,
    2 * SETS + 5,
    2 * SETS + 6,
)
_K = np.uint64(0x9E3779B97F4A7C15)
LEAST = 32  # the least probability of a bit, in 65,536ths


@compiled
def dot(x, b, memory, row):
    """Return the log odds of a mixer, Σ x w, in 256ths, at depth b, by the weights that begin at `row`.

    An index without a sign and a length that the compiler does not know let it take several products at once.
    """
    total, first = np.int64(0), np.uint64(row)
    for i in range(x.shape[1]):
        total += np.int64(x[b, i]) * np.int64(memory[first + np.uint64(i)])
    return min(max(total >> 16, -2047), 2047)


@compiled
def refining_rows(at, c2, node0):
    """Return the two rows of the refining maps, by the last byte and by the last two bytes."""
    fine = (1 << at.fine) - 1
    a1 = ((c2 & 0xFF) * 256 + node0) & fine
    a2 = (((c2 * 256 + node0) * 0x2F0B4C47) >> 13) & fine
    return at.refined + LINE * a1, at.refined + (LINE << at.fine) + LINE * a2


@compiled
def refined_at(memory, row, place):
    """Return a number of a row of a refining map."""
    return (np.int64(memory[row + (place >> 1)]) >> (16 * (place & 1))) & 0xFFFF


@compiled
def key_of(key, top, half):
    """Return the hash of a context for a half of a byte: for the lower half, of the context and the upper half."""
    return (key ^ np.uint64(top)) * _K if half else key


@compiled
def fetch(memory, at, keys, nodes, c2):
    """Load what the decisions of one byte will read far apart, all at once: one after another takes twice the time.

    Returns:
        A sum, so that the compiler keeps the loads.
    """
    loaded = np.int64(0)
    for half in range(2):
        for i in range(len(keys)):
            slot, _ = place_of(i, key_of(keys[i], nodes[4 * half, 0], half), at.bits)
            loaded += np.int64(memory[slot * LINE])
    for b in range(len(nodes)):
        a1, a2 = refining_rows(at, c2, nodes[b, 0])
        loaded += np.int64(memory[a1]) + np.int64(memory[a2])
    return loaded


@compiled
def level(count):
    """Return the class of a number of observations: none, one, two or three, more."""
    return min((count + 2) >> 1, 3) if count > 1 else count


@compiled
def decide(memory, at, tables, text, history, keys, nodes, slots, checks, foreseen, x, mixed, q):
    """Write the probability of a one at some nodes of the tree of bytes into q, in 65,536ths.

    Args:
        memory: The memory, which stays as it is.
        at: The layout of the memory.
        tables: The logistic function, its inverse, the histories of bits, the rates.
        text: The text of the fit.
        history: The history.
        keys: A hash of each context.
        nodes: `[n, 2]`, nodes and their depths, so that the nodes of one half of a byte stand together.
        slots: `[2, CONTEXTS]`, written: where the numbers of each context begin, for both halves of a byte.
        checks: `[2, CONTEXTS, 2]`, written: the slot and the check of each context.
        foreseen: `[8]`, written: whether the match expects this node.
        x: `[8, INPUTS]`, written: the inputs of the mixers at each depth.
        mixed: `[8, LEFT]`, written: what learning needs.
        q: `[256]`, written: the probability at each node.
    """
    squash, stretch, _, _ = tables
    expected, strength = expected_byte(text, history), strength_of(history)
    c1 = np.int64(history[LAST] & np.uint64(0xFF))
    c2 = np.int64(history[LAST] & np.uint64(0xFFFF))
    if len(nodes) == 8:
        mixed[0, FETCHED] = fetch(memory, at, keys, nodes, c2)
    top = np.int64(-1)
    for step in range(len(nodes)):
        node0, b = nodes[step, 0], nodes[step, 1]
        half = b >> 2
        below = b & 3
        node = (1 << below) | (node0 & ((1 << below) - 1))
        if node0 >> below != top:
            top = node0 >> below
            for i in range(len(keys)):
                checks[half, i, 0], checks[half, i, 1] = place_of(i, key_of(keys[i], top, half), at.bits)
                slots[half, i] = find(memory, checks[half, i, 0], np.int32(checks[half, i, 1]))
        # The inputs are log odds, 0 where a context was never seen.
        seen, counts = 0, 0
        for i in range(len(keys)):
            x[b, EACH * i] = x[b, EACH * i + 1] = x[b, EACH * i + 2] = 0
            if slots[half, i] >= 0:
                cell = np.int64(memory[slots[half, i] + node]) & 0xFFFFFFFF
                bits = cell & 0xFF
                if bits != 0:
                    p = (np.int64(memory[at.maps + 256 * i + bits]) & 0xFFFFFFFF) >> 14
                    x[b, EACH * i] = stretch[p >> 6]
                    x[b, EACH * i + 1] = stretch[cell >> 20]
                    x[b, EACH * i + 2] = (p - 131072) >> 7
                    if i < 6:
                        seen = i + 1
                        counts |= level((cell >> 8) & 0xFF) << (2 * i)
        k = EACH * CONTEXTS
        x[b, k] = stretch[memory[at.order0 + node0] >> 4]
        x[b, k + 1] = x[b, k + 2] = 0
        foreseen[b] = expected > 0 and (expected >> (8 - b)) == node0
        if foreseen[b]:
            sign = 1 if (expected >> (7 - b)) & 1 else -1
            x[b, k + 1] = sign * stretch[memory[at.matched + strength] >> 12]
            x[b, k + 2] = sign * min(np.int64(history[MATCH]), 32) * 16
        x[b, k + 3] = 256
        length = (1 + (strength >> 3) if strength < 16 else 3 + ((strength - 16) >> 2)) if foreseen[b] else 0
        mixed[b, 0] = node0
        mixed[b, 1] = BY_SEEN + (length * 12 + seen) * 8 + b
        mixed[b, 2] = BY_LAST + c1
        mixed[b, 3] = BY_COUNTS + (counts >> 4)
        f = at.final + LINE * (b + 8 * seen + (64 if foreseen[b] else 0))
        total = np.int64(0)
        for s in range(SETS):
            d = dot(x, b, memory, at.weights + mixed[b, s] * INPUTS)
            mixed[b, SETS + s] = d
            total += d * np.int64(memory[f + s])
        d = min(max(total >> 16, -2047), 2047) + 2048
        mixed[b, FINAL], mixed[b, MIXED] = f, squash[d]
        place, part = (d * STEPS) >> 12, ((d * STEPS) >> 5) & 127
        a1, a2 = refining_rows(at, c2, node0)
        near = place + (part >> 6)
        mixed[b, NEAR], mixed[b, NEAR + 1] = a1 + (near >> 1), a2 + (near >> 1)
        mixed[b, HALF] = 16 * (near & 1)
        q1 = (refined_at(memory, a1, place) * (128 - part) + refined_at(memory, a1, place + 1) * part) >> 7
        q2 = (refined_at(memory, a2, place) * (128 - part) + refined_at(memory, a2, place + 1) * part) >> 7
        p = (np.int64(squash[d]) + q1 + 2 * q2 + 2) >> 2
        q[node0] = min(max(p, LEAST), 65536 - LEAST)


@compiled
def decide_end(memory, at, history):
    """Return the probability that byte 255 is EOS, in 65,536ths."""
    e = at.ended + np.int64(history[LAST] & np.uint64(0xFF))
    return min(max(np.int64(memory[e]) >> 8, LEAST), 65536 - LEAST)
