"""Coding of bytes without a given model: encoder and decoder learn counts over orders as they go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.coding.adaptive_tables import LEAST, tables
from pofx.errors import require

# A function that is called with the share of the work that is done.
Tell = Callable[[float], None]

# log2 of the most buckets of a table, 64 bytes each: 2^18 buckets of seven tables are 117 MB, enough for some MB of text.
MOST_BITS = 18

# The number of bytes, half a second, that compiled code works on before it returns, since it does not react to Ctrl-C.
PIECE = 1 << 16

# No byte costs less than eight bits of probability 1 − 32/65,536, so the size of a payload bounds the size of its text.
LEAST_COST = -8 * float(np.log2(1 - LEAST / 65536))


def silent(share: float) -> None:
    """Ignore the share."""


def encode(data: bytes, tell: Tell = silent) -> tuple[bytes, float] | None:
    """Return the code of `data`, and the number of bits −log2 p(data); None where the code would not be shorter.

        p(data) = Π_i P(b_i | b_<i), the product of predictive probabilities

    The code does not contain the length of `data`.

    Args:
        data: The bytes to encode.
        tell: A function that is called with the share of the bytes that is encoded.

    Raises:
        MissingExtra: numba is not installed.
    """
    code = np.zeros(len(data), dtype=np.uint8)
    plain = np.frombuffer(data, dtype=np.uint8).copy()
    used, spent = _run(False, plain, code, tell)
    return None if used < 0 else (code[:used].tobytes(), _bits(spent))


def decode(code: bytes, n: int, tell: Tell = silent) -> bytes:
    """Return the n bytes whose code `encode` has returned; any n bytes for a code from elsewhere."""
    data = np.zeros(n, dtype=np.uint8)
    _run(True, data, np.frombuffer(code, dtype=np.uint8).copy(), tell)
    return data.tobytes()


def cost(data: bytes) -> float:
    """Return −log2 of the sequential predictive probability of `data`, in bits, without a coder."""
    plain = np.frombuffer(data, dtype=np.uint8).copy()
    # A bit costs at most 11 bits of code, so 16 bytes of code a byte are enough for any data.
    return _bits(_run(False, plain, np.zeros(16 * len(data) + 16, dtype=np.uint8), silent)[1])


def _run(
    decoding: bool, data: NDArray[np.uint8], code: NDArray[np.uint8], tell: Tell
) -> tuple[int, NDArray[np.int64]]:
    require("numba", "compress", "the adaptive code")
    from pofx.algorithms.coding.adaptive_kernel import fresh, run

    squash, stretch, after, first, rate = tables()
    spent = np.zeros(65537, dtype=np.int64)
    memory = fresh(min(max(len(data).bit_length(), 6), MOST_BITS), squash, first)
    kernel: Any = run
    used = 0
    for start in range(0, len(data), PIECE):
        stop = min(start + PIECE, len(data))
        used = int(kernel(decoding, data, code, start, stop, memory, squash, stretch, after, rate, spent))
        if used < 0:
            break
        tell(stop / len(data))
    return used, spent


def _bits(spent: NDArray[np.int64]) -> float:
    q = np.flatnonzero(spent)
    return float(np.sum(spent[q] * (16 - np.log2(q))))
