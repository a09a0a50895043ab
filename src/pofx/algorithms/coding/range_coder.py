"""Range coding (constriction) by integer frequencies: a distribution becomes numbers that sum to 2^24, symbols bytes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadValue, Undecodable, require

TOTAL = 1 << 24

# Every outcome has a frequency of at least one, which takes log2(1 − V/2^24) bits of each token from the others: 0.004
# bits for 49,152 outcomes, 0.023 for 262,144, the largest vocabulary in use, and 0.03 for this many.
MOST_OUTCOMES = 340_000


def frequencies(p: NDArray[np.float64]) -> NDArray[np.float32]:
    """Whole numbers g ≥ 0, `[n, V]`, whose rows sum to 2^24 − V; the coder adds the one that each outcome has.

    g = ⌊p · (2^24 − V)⌋, and what is left goes to the likeliest outcome. So g + 1 ≥ p · (2^24 − V): no outcome costs
    over −log2 p − log2(1 − V/2^24) bits. Rows of p sum to 1 up to some 1e-9. Exact: products, comparisons and sums of whole
    numbers below 2^24 are the same on every machine. `BadValue` for rows that are no distributions.
    """
    v = p.shape[1]
    if v > MOST_OUTCOMES:
        raise BadValue(
            f"expected a vocabulary of at most {MOST_OUTCOMES:,} outcomes to code with, got {v:,}", None
        )
    g = np.floor(p * float(TOTAL - v))
    left = (TOTAL - v) - g.sum(axis=1)
    best = g.argmax(axis=1)
    rows = np.arange(len(g))
    g[rows, best] += left
    if not (
        np.isfinite(left).all() and (g >= 0).all() and (left >= -1 - v * 1e-6).all() and (left <= v).all()
    ):
        raise BadValue(
            "expected distributions that sum to 1 to code with, got a sum that differs", "audit the model"
        )
    return g.astype(np.float32)


def cost(g: NDArray[np.float32], symbols: NDArray[np.int64]) -> float:
    """Bits that one symbol by each row of frequencies takes."""
    return float(np.sum(24 - np.log2(g[np.arange(len(g)), symbols].astype(np.float64) + 1)))


def floor_bits(outcomes: int) -> float:
    """−log2(1 − V/2^24): how many bits a token may cost beyond −log2 p, since no outcome has frequency 0."""
    return -math.log2(1 - min(outcomes, MOST_OUTCOMES) / TOTAL)


class Encoder:
    """Symbols in, bytes out."""

    def __init__(self) -> None:
        self._stream = _stream()
        self._coder: Any = self._stream.queue.RangeEncoder()
        self._family: Any = self._stream.model.Categorical(perfect=False)

    def put(self, symbols: NDArray[np.int64], g: NDArray[np.float32]) -> None:
        """One symbol by each row of frequencies."""
        self._coder.encode(np.ascontiguousarray(symbols, dtype=np.int32), self._family, g)

    def done(self) -> bytes:
        """All that was put, in whole words of 32 bits, the lowest byte first."""
        words: NDArray[np.uint32] = self._coder.get_compressed()
        return words.astype("<u4").tobytes()


class Decoder:
    """Bytes in, symbols out, by the frequencies that they were put with. Anything else gives other symbols."""

    def __init__(self, payload: bytes) -> None:
        self._stream = _stream()
        words = np.frombuffer(payload, dtype="<u4").astype(np.uint32)
        self._coder: Any = self._stream.queue.RangeDecoder(words)
        self._family: Any = self._stream.model.Categorical(perfect=False)

    def get(self, g: NDArray[np.float32]) -> NDArray[np.int64]:
        """One symbol by each row of frequencies; `Undecodable` where the library finds that no code goes on so."""
        try:
            found = self._coder.decode(self._family, g)
        except AssertionError as e:  # how constriction says so
            raise Undecodable(
                f"expected the code of symbols by these frequencies, got another code ({e})", None
            ) from None
        out: NDArray[np.int64] = np.asarray(found, dtype=np.int64)
        return out


def _stream() -> Any:
    return require("constriction", "compress", "arithmetic coding").stream
