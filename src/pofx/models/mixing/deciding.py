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
SETS = 3  # sets of weights: by the node, by the contexts that were seen, by the last byte
BY_SEEN = 256
BY_LAST = BY_SEEN + 16 * 12 * 8
ROWS = BY_LAST + 256
# What a decision leaves for learning: the row and the log odds of each set, the row of the last mixer, its probability,
# and the two places that refined it.
FINAL, MIXED, NEAR, LEFT = 2 * SETS, 2 * SETS + 1, 2 * SETS + 2, 2 * SETS + 4
_K = np.uint64(0x9E3779B97F4A7C15)
LEAST = 32  # the least probability of a bit, in 65,536ths


@compiled
def dot(x, w):
    """Return the log odds of a mixer: Σ x w, in 256ths."""
    total = np.int64(0)
    for i in range(INPUTS):
        total += np.int64(x[i]) * np.int64(w[i])
    return min(max(total >> 16, -2047), 2047)


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
    fine = (1 << at.fine) - 1
    top = np.int64(-1)
    for step in range(len(nodes)):
        node0, b = nodes[step, 0], nodes[step, 1]
        half = b >> 2
        below = b & 3
        node = (1 << below) | (node0 & ((1 << below) - 1))
        slot, check = slots[half], checks[half]
        if node0 >> below != top:
            top = node0 >> below
            for i in range(len(keys)):
                key = (keys[i] ^ np.uint64(top)) * _K if half else keys[i]
                check[i, 0], check[i, 1] = place_of(i, key, at.bits)
                slot[i] = find(memory, check[i, 0], np.int32(check[i, 1]))
        # The inputs are log odds, 0 where a context was never seen.
        own, left = x[b], mixed[b]
        seen = 0
        for i in range(len(keys)):
            own[EACH * i] = own[EACH * i + 1] = own[EACH * i + 2] = 0
            if slot[i] >= 0:
                cell = np.int64(memory[slot[i] + node]) & 0xFFFFFFFF
                bits = cell & 0xFF
                if bits != 0:
                    p = (np.int64(memory[at.maps + 256 * i + bits]) & 0xFFFFFFFF) >> 14
                    own[EACH * i] = stretch[p >> 6]
                    own[EACH * i + 1] = stretch[cell >> 20]
                    own[EACH * i + 2] = (p - 131072) >> 7
                    seen = i + 1 if i < 6 else seen
        k = EACH * CONTEXTS
        own[k] = stretch[memory[at.order0 + node0] >> 4]
        own[k + 1] = own[k + 2] = 0
        foreseen[b] = expected > 0 and (expected >> (8 - b)) == node0
        if foreseen[b]:
            sign = 1 if (expected >> (7 - b)) & 1 else -1
            own[k + 1] = sign * stretch[memory[at.matched + strength] >> 12]
            own[k + 2] = sign * min(np.int64(history[MATCH]), 32) * 16
        own[k + 3] = 256
        length = (1 + (strength >> 3) if strength < 16 else 3 + ((strength - 16) >> 2)) if foreseen[b] else 0
        left[0] = node0
        left[1] = BY_SEEN + (length * 12 + seen) * 8 + b
        left[2] = BY_LAST + c1
        f = at.final + 16 * c1
        total = np.int64(0)
        for s in range(SETS):
            row = at.weights + left[s] * INPUTS
            d = dot(own, memory[row : row + INPUTS])
            left[SETS + s] = d
            total += d * np.int64(memory[f + s])
        d = min(max(total >> 16, -2047), 2047) + 2048
        left[FINAL], left[MIXED] = f, squash[d]
        place, part = d >> 7, d & 127
        a1 = at.refined + 33 * ((c1 * 256 + node0) & fine) + place
        a2 = at.refined + (33 << at.fine) + 33 * ((((c2 * 256 + node0) * 0x2F0B4C47) >> 13) & fine) + place
        left[NEAR], left[NEAR + 1] = a1 + (part >> 6), a2 + (part >> 6)
        q1 = (np.int64(memory[a1]) * (128 - part) + np.int64(memory[a1 + 1]) * part) >> 7
        q2 = (np.int64(memory[a2]) * (128 - part) + np.int64(memory[a2 + 1]) * part) >> 7
        p = (np.int64(squash[d]) + q1 + 2 * q2 + 2) >> 2
        q[node0] = min(max(p, LEAST), 65536 - LEAST)


@compiled
def decide_end(memory, at, history):
    """Return the probability that byte 255 is EOS, in 65,536ths."""
    e = at.ended + np.int64(history[LAST] & np.uint64(0xFF))
    return min(max(np.int64(memory[e]) >> 8, LEAST), 65536 - LEAST)
