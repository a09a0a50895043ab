"""Range coding (constriction) by integer frequencies: probabilities become whole numbers that sum to 2^24."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadValue, Undecodable, require

TOTAL = 1 << 24

# Every outcome has a frequency of at least one. So a token costs up to −log2(1 − V/2^24) bits more: 0.004 bits for 49,152
# outcomes, 0.023 for 262,144, the largest vocabulary in use, and 0.03 for 340,000.
MOST_OUTCOMES = 340_000


def frequencies(p: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return whole numbers g ≥ 0 whose rows sum to 2^24 − V; the coder itself adds 1 to each number.

        g = ⌊p · (2^24 − V)⌋, and the rest of 2^24 − V is added to the likeliest outcome

    So g + 1 ≥ p · (2^24 − V), and no outcome costs over −log2 p − log2(1 − V/2^24) bits. The numbers are the same on every
    machine, since products, comparisons and sums of whole numbers below 2^24 are exact.

    Args:
        p: `[n, V]`, probabilities, whose rows sum to 1 up to some 1e-9.

    Returns:
        g, `[n, V]`.

    Raises:
        BadValue: A row is no distribution, or there are more than `MOST_OUTCOMES` outcomes.
    """
    v = p.shape[1]
    if v > MOST_OUTCOMES:
        raise BadValue(
            f"expected a vocabulary of at most {MOST_OUTCOMES:,} outcomes to code with, got {v:,} outcomes",
            None,
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
    """Return the number of bits of the symbols, one symbol for each row of frequencies."""
    return float(np.sum(24 - np.log2(g[np.arange(len(g)), symbols].astype(np.float64) + 1)))


def floor_bits(outcomes: int) -> float:
    """Return −log2(1 − V/2^24), the bits that a token may cost beyond −log2 p, since no outcome has frequency 0."""
    return -math.log2(1 - min(outcomes, MOST_OUTCOMES) / TOTAL)


class Encoder:
    """Encodes symbols by frequencies. Local to one stream."""

    def __init__(self) -> None:
        self._stream = _stream()
        self._coder: Any = self._stream.queue.RangeEncoder()
        self._family: Any = self._stream.model.Categorical(perfect=False)

    def put(self, symbols: NDArray[np.int64], g: NDArray[np.float32]) -> None:
        """Encode one symbol by each row of frequencies."""
        self._coder.encode(np.ascontiguousarray(symbols, dtype=np.int32), self._family, g)

    def done(self) -> bytes:
        """Return the code of all symbols, in words of 32 bits, the lowest byte first."""
        words: NDArray[np.uint32] = self._coder.get_compressed()
        return words.astype("<u4").tobytes()


class Decoder:
    """Decodes symbols by the frequencies of their encoding; other frequencies give other symbols. Local to one stream."""

    def __init__(self, payload: bytes) -> None:
        self._stream = _stream()
        words = np.frombuffer(payload, dtype="<u4").astype(np.uint32)
        self._coder: Any = self._stream.queue.RangeDecoder(words)
        self._family: Any = self._stream.model.Categorical(perfect=False)

    def get(self, g: NDArray[np.float32]) -> NDArray[np.int64]:
        """Decode one symbol by each row of frequencies; `Undecodable` where the library finds an impossible code."""
        try:
            found = self._coder.decode(self._family, g)
        except AssertionError as e:  # constriction's exception for an impossible code
            raise Undecodable(
                f"expected the code of symbols by these frequencies, got another code ({e})", None
            ) from None
        out: NDArray[np.int64] = np.asarray(found, dtype=np.int64)
        return out


def _stream() -> Any:
    return require("constriction", "compress", "arithmetic coding").stream
