"""The hash tables: a slot has the 15 nodes of half a byte after one context, and a check, in 16 numbers."""

# mypy: ignore-errors
# numba infers the types here. A signed and an unsigned integer of 64 bits would make a float, so unsigned integers are
# marked as such.

from __future__ import annotations

import numpy as np

from pofx.models.mixing.compiled import compiled

_MIX = np.uint64(0xBF58476D1CE4E5B9)
# A node that was never seen: probability 1/2 in the upper 16 bits, no observation, an empty history of bits.
_NEW = np.int32(-0x80000000)


@compiled
def place_of(context, key, bits):
    """Return the slot of a key among the 2^bits slots of a context, and the check of the key, which is odd."""
    key ^= key >> np.uint64(29)
    key *= _MIX
    at = np.int64((key >> np.uint64(20)) & ((np.uint64(1) << np.uint64(bits)) - np.uint64(1)))
    check = np.int32(np.int64(key >> np.uint64(42)) | 1)
    return (np.int64(context) << bits) + at, check


@compiled
def find(memory, slot, check):
    """Return where the numbers of a context begin, or −1 where the context was never seen."""
    here, beside = slot * 16, (slot ^ 1) * 16
    if memory[here] == check:
        return here
    if memory[beside] == check:
        return beside
    return np.int64(-1)


@compiled
def find_or_make(memory, slot, check):
    """Return where the numbers of a context begin; a new context replaces the slot that was seen less often."""
    here, beside = slot * 16, (slot ^ 1) * 16
    if memory[here] == check:
        return here
    if memory[beside] == check:
        return beside
    if (memory[beside + 1] >> 8) & 0xFF < (memory[here + 1] >> 8) & 0xFF:
        here = beside
    memory[here] = check
    for j in range(1, 16):
        memory[here + j] = _NEW
    return here
