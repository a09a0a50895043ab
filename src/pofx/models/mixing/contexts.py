"""The contexts of a decision: hashes of the last bytes, of words and of the line, from a short record of the history."""

# mypy: ignore-errors
# numba infers the types here. A signed and an unsigned integer of 64 bits would make a float, so unsigned integers are
# marked as such.

from __future__ import annotations

import numpy as np

from pofx.models.mixing.compiled import compiled

# The columns of a history: the last eight bytes, the word so far, the word before, the place and the length of the
# match, the number of bytes since the line began, the first bytes of the line.
LAST, WORD, BEFORE, PLACE, MATCH, COLUMN, OPENING, COLUMNS = range(8)

CONTEXTS = 11
END = 256  # the symbol EOS, which is spelled by the decisions of byte 255 and one more

_K = np.uint64(0x9E3779B97F4A7C15)
_APART = np.uint64(0x632BE59BD9B4E019)
_WORD = np.uint64(0x2F0B4C4759E1)


@compiled
def begin(history):
    """Write the history of x0: eight bytes 255, as if EOS had come before."""
    history[:] = np.uint64(0)
    history[LAST] = np.uint64(0xFFFFFFFFFFFFFFFF)


@compiled
def hashes(history, out):
    """Write a hash of each context into `out`."""
    last, word, before = history[LAST], history[WORD], history[BEFORE]
    for i in range(6):
        out[i] = last & ((np.uint64(1) << np.uint64(8 * (i + 1))) - np.uint64(1))
    out[6] = word * np.uint64(0x2F0B4C47) + (last & np.uint64(0xFF))
    out[7] = word * np.uint64(0x2F0B4C47) + before * np.uint64(0x9E3779B1) + np.uint64(1)
    out[8] = last & np.uint64(0xFFFF00)
    out[9] = (
        min(history[COLUMN], np.uint64(255)) * np.uint64(0x10001)
        + history[OPENING] * np.uint64(0x3D4D51CB)
        + ((last & np.uint64(0xFF)) << np.uint64(32))
    )
    out[10] = before * np.uint64(0x9E3779B1) + (last & np.uint64(0xFFFF)) * np.uint64(77)
    for i in range(CONTEXTS):
        out[i] = (out[i] + np.uint64(i + 1) * _APART) * _K


@compiled
def move(history, symbol):
    """Append a byte to the history; the match is moved elsewhere."""
    last = (history[LAST] << np.uint64(8)) | np.uint64(symbol)
    history[LAST] = last
    lower = symbol + 32 if 65 <= symbol <= 90 else symbol
    if 97 <= lower <= 122 or lower == 39 or lower >= 128:
        history[WORD] = (history[WORD] + np.uint64(lower)) * _WORD
    elif history[WORD] != np.uint64(0):
        history[BEFORE] = history[WORD]
        history[WORD] = np.uint64(0)
    if symbol == 10:
        history[COLUMN] = np.uint64(0)
        history[OPENING] = np.uint64(0)
    else:
        history[COLUMN] += np.uint64(1)
        if history[COLUMN] <= np.uint64(1):
            history[OPENING] = (history[OPENING] << np.uint64(8)) | np.uint64(symbol)
