"""The adaptive model of bytes and its binary coder, in integers, compiled by numba: encoder and decoder are one loop.

A byte is eight binary decisions. The contexts of a decision are the last 1 to 6 bytes, the word so far, no bytes, and the
longest earlier match. The predictions of the contexts are mixed in the logistic domain, with weights that are learned from
the data, and corrected by two adaptive maps (Mahoney's PAQ). All numbers are integers, so any machine can decode the code
of another machine.
"""

# mypy: ignore-errors
# numba infers the types here. A signed and an unsigned integer of 64 bits would make a float, so unsigned integers are
# marked as such.

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np

CONTEXTS = 7  # the last 1 … 6 bytes, and the word so far
INPUTS = 2 * CONTEXTS + 4  # two for each context; order 0; two for the match; a constant
LIMIT = 127  # the most observations of which a probability is the mean
SHORTEST, LONGEST = 5, 40  # the number of bytes of a match

_K = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_APART = np.uint64(0x632BE59BD9B4E019)
_WORD = np.uint64(0x2F0B4C4759E1)
_SIX = np.uint64(0xFFFFFFFFFFFF)
_LOW = np.uint32(0xFF)
_HALF = np.uint32(0x80000000)


def _compiled(function: Callable[..., Any]) -> Any:
    """Return the function, to be compiled at its first call; the result is stored beside the source if possible."""
    try:
        return numba.njit(cache=True)(function)
    except RuntimeError:
        return numba.njit(function)


@_compiled
def _hashes(last, word, out):
    """Write a hash of each context into `out`."""
    for i in range(CONTEXTS - 1):
        out[i] = last & ((np.uint64(1) << np.uint64(8 * (i + 1))) - np.uint64(1))
    out[CONTEXTS - 1] = word * np.uint64(0x2F0B4C47) + (last & np.uint64(0xFF))
    for i in range(CONTEXTS):
        out[i] = (out[i] + np.uint64(i + 1) * _APART) * _K


@_compiled
def _find(cells, key, mask):
    """Find the 16 cells of half a byte: cell 0 is a check, the 15 others have probability, count and history of a node."""
    key ^= key >> np.uint64(29)
    key *= _MIX
    at = np.int64((key >> np.uint64(20)) & mask)
    check = np.uint32(key >> np.uint64(42)) | np.uint32(1)
    here, beside = at * 16, (at ^ 1) * 16
    if cells[here] == check:
        return here
    if cells[beside] == check:
        return beside
    if (cells[beside + 1] >> np.uint32(8)) & _LOW < (cells[here + 1] >> np.uint32(8)) & _LOW:
        here = beside  # the bucket that was seen less often is replaced
    cells[here] = check
    for j in range(1, 16):
        cells[here + j] = _HALF
    return here


@_compiled
def _learn(p, n, y, rate):
    """Return the mean of n + 1 bits: n bits of mean p, and the bit y."""
    return p + ((((65535 if y else 0) - p) * rate[n]) >> 16)


@_compiled
def _dot(x, w):
    total = np.int64(0)
    for i in range(INPUTS):
        total += np.int64(x[i]) * w[i]
    return min(max(total >> 16, -2047), 2047)


@_compiled
def _train(x, w, error):
    for i in range(INPUTS):
        w[i] += (np.int64(x[i]) * error * 3 + (1 << 17)) >> 18


class Memory(NamedTuple):
    """The state of the coder between two pieces: all that is learned so far, and the place in the code and in the data.

    Attributes:
        numbers: The ends of the coder's interval, the value that is being decoded, the number of bytes of code so far, the
            place where the match continues, and the length of the match.
        text: The last eight bytes, and a hash of the word so far.
    """

    cells: Any
    maps: Any
    order0: Any
    by_node: Any
    by_length: Any
    apm: Any
    matched: Any
    latest: Any
    numbers: Any
    text: Any


def _aligned(rows: int, columns: int) -> Any:
    """Return zeros, of which 16 in a row share a cache line; coding takes a fifth longer where 16 numbers span two lines."""
    size = 4 * rows * columns
    raw = np.zeros(size + 64, dtype=np.uint8)
    offset = -raw.ctypes.data % 64
    return raw[offset : offset + size].view(np.uint32).reshape(rows, columns)


def fresh(bits: int, squash: Any, first: Any) -> Memory:
    """Return the state before the first byte, with tables of 2^bits buckets."""
    apm = np.empty((2, 1 << min(bits + 2, 16), 33), dtype=np.int32)
    apm[:] = squash[np.minimum(128 * np.arange(33), 4095)]
    return Memory(
        cells=_aligned(CONTEXTS, 16 << bits),
        maps=np.tile(first.astype(np.int64) << 8, (CONTEXTS, 1)),
        order0=np.full(256, 32768, dtype=np.int64),
        by_node=np.full((256, INPUTS), 12000, dtype=np.int32),
        by_length=np.full((128, INPUTS), 12000, dtype=np.int32),
        apm=apm,
        matched=np.full(32, 40000 << 8, dtype=np.int64),
        latest=np.zeros(1 << min(bits + 2, 18), dtype=np.int32),
        numbers=np.array([0, 0xFFFFFFFF, 0, 0, 0, 0], dtype=np.int64),
        text=np.zeros(2, dtype=np.uint64),
    )


@_compiled
def run(decoding, data, code, start, stop, memory, squash, stretch, after, rate, spent):
    """Encode data[start:stop] into `code`, or decode it from `code`; the number of bytes of code, or −1 if `code` is full.

    The pieces of one text follow one another, with the same `memory`; the code ends after the last byte of data. spent[q]
    counts the coded bits of probability q / 65,536. So −Σ spent[q] log2(q / 65,536) is −log2 of the sequential predictive
    probability of the data.
    """
    cells, maps, order0, by_node, by_length, apm, matched, latest, numbers, text = memory
    mask = np.uint64(cells.shape[1] // 16 - 1)
    fine = apm.shape[1] - 1
    x = np.zeros(INPUTS, dtype=np.int32)
    hashes = np.zeros(CONTEXTS, dtype=np.uint64)
    at_cell = np.zeros(CONTEXTS, dtype=np.int64)
    low, high, value, place, pointer, length = numbers
    last, word = text
    if decoding and start == 0:
        for _ in range(4):
            value = (value << 8) | (code[place] if place < len(code) else 0)
            place += 1

    for step in range(stop - start):  # numba infers that `step` is not negative
        at = start + step
        _hashes(last, word, hashes)
        byte = np.int64(0) if decoding else np.int64(data[at])
        expected = np.int64(data[pointer]) | 256 if length > 0 else np.int64(0)
        strength = min(length, 15) if length < 16 else min(16 + (length - 16) // 8, 31)
        node0, node, recent = 1, 1, np.int64(last & np.uint64(0xFFFF))
        for b in range(8):
            if b == 0 or b == 4:
                for i in range(CONTEXTS):
                    key = hashes[i] if b == 0 else (hashes[i] ^ np.uint64(node0)) * _K
                    at_cell[i] = _find(cells[i], key, mask)
                node = 1
            # The inputs are the log odds of each prediction, 0 where a context was never seen.
            seen = 0
            for i in range(CONTEXTS):
                cell = cells[i, at_cell[i] + node]
                history = np.int64(cell & _LOW)
                x[2 * i] = x[2 * i + 1] = 0
                if history != 0:
                    x[2 * i] = stretch[maps[i, history] >> 12]
                    x[2 * i + 1] = stretch[np.int64(cell >> np.uint32(20))]
                    seen = i + 1 if i < CONTEXTS - 1 else seen
            x[INPUTS - 4] = stretch[order0[node0] >> 4]
            foreseen = length > 0 and (expected >> (8 - b)) == node0
            bit = (expected >> (7 - b)) & 1
            x[INPUTS - 3] = x[INPUTS - 2] = 0
            if foreseen:
                sign = 1 if bit else -1
                x[INPUTS - 3] = sign * stretch[matched[strength] >> 12]
                x[INPUTS - 2] = sign * min(length, 32) * 16
            x[INPUTS - 1] = 256
            # Two sets of weights mix the predictions, and two adaptive maps correct the mixture.
            row = (2 * seen + (1 if foreseen else 0)) * 8 + b
            d1, d2 = _dot(x, by_node[node0]), _dot(x, by_length[row])
            p1, p2 = np.int64(squash[d1 + 2048]), np.int64(squash[d2 + 2048])
            d = ((d1 + d2) >> 1) + 2048
            left, part = d >> 7, d & 127
            a1 = ((recent & 0xFF) * 256 + node0) & fine
            a2 = (((recent * 256 + node0) * 0x2F0B4C47) >> 13) & fine
            q1 = (apm[0, a1, left] * (128 - part) + apm[0, a1, left + 1] * part) >> 7
            q2 = (apm[1, a2, left] * (128 - part) + apm[1, a2, left + 1] * part) >> 7
            p = (np.int64(squash[d]) + q1 + 2 * q2 + 2) >> 2
            p = min(max(p, 32), 65536 - 32)
            # The coder cuts [low, high] in proportion, and writes a byte when both ends share the byte.
            middle = low + (((high - low) * p) >> 16)
            y = (1 if value <= middle else 0) if decoding else (byte >> (7 - b)) & 1
            spent[p if y else 65536 - p] += 1
            if y:
                high = middle
            else:
                low = middle + 1
            while (low ^ high) & 0xFF000000 == 0:
                if decoding:
                    value = ((value << 8) & 0xFFFFFFFF) | (code[place] if place < len(code) else 0)
                elif place >= len(code):
                    return -1
                else:
                    code[place] = high >> 24
                place += 1
                low = (low << 8) & 0xFFFFFFFF
                high = ((high << 8) & 0xFFFFFFFF) | 0xFF
            # Weights, maps and counts are updated by the bit.
            _train(x, by_node[node0], (65536 if y else 0) - p1)
            _train(x, by_length[row], (65536 if y else 0) - p2)
            near = left + (part >> 6)
            apm[0, a1, near] += ((65535 if y else 0) - apm[0, a1, near]) >> 6
            apm[1, a2, near] += ((65535 if y else 0) - apm[1, a2, near]) >> 6
            order0[node0] += ((65535 if y else 0) - order0[node0]) >> 5
            for i in range(CONTEXTS):
                cell = cells[i, at_cell[i] + node]
                history, n = np.int64(cell & _LOW), np.int64((cell >> np.uint32(8)) & _LOW)
                if history != 0:
                    mean, m = maps[i, history] >> 8, maps[i, history] & 0xFF
                    maps[i, history] = (_learn(mean, m, y, rate) << 8) | min(m + 1, 255)
                mean = _learn(np.int64(cell >> np.uint32(16)), n, y, rate)
                cells[i, at_cell[i] + node] = np.uint32(
                    (mean << 16) | (min(n + 1, LIMIT) << 8) | np.int64(after[y, history])
                )
            if foreseen:
                mean, m = matched[strength] >> 8, matched[strength] & 0xFF
                matched[strength] = (_learn(mean, m, bit == y, rate) << 8) | min(m + 1, 255)
                if bit != y:
                    length = 0
            node0 = (node0 << 1) | y
            node = (node << 1) | y
        byte = np.int64(node0 & 0xFF)
        if decoding:
            data[at] = byte
        last = (last << np.uint64(8)) | np.uint64(byte)
        lower = byte + 32 if 65 <= byte <= 90 else byte
        letter = 97 <= lower <= 122 or lower == 39 or lower >= 128
        word = (word + np.uint64(lower)) * _WORD if letter else np.uint64(0)
        slot = np.int64((((last & _SIX) * _K) >> np.uint64(40)) & np.uint64(len(latest) - 1))
        if length > 0:
            pointer += 1
            length += 1
        else:
            pointer = np.int64(latest[slot])
            if pointer > 0:
                while length < min(LONGEST, pointer) and data[pointer - 1 - length] == data[at - length]:
                    length += 1
                if length < SHORTEST:
                    length = 0
        latest[slot] = at + 1
    if not decoding and stop == len(data) and stop > 0:
        if place >= len(code):
            return -1
        code[place] = (
            low >> 24
        ) + 1  # with the zeros that the decoder reads after it, a number in [low, high]
        place += 1
    numbers[:] = (low, high, value, place, pointer, length)
    text[:] = (last, word)
    return place
