"""A text as an array of code points, a stray byte as the surrogate that stands for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pofx.lm.trace import Ints


def points(text: str) -> NDArray[np.uint32]:
    """`[n]`: the code point of each character."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def byte_offsets(text: str) -> Ints:
    """`[n + 1]`: where each character begins in the bytes of the text, and where the last one ends."""
    found = points(text)
    width = 1 + (found >= 0x80) + (found >= 0x800) + (found >= 0x10000)
    width[(found >= 0xDC80) & (found <= 0xDCFF)] = 1  # a stray byte
    return np.concatenate([[0], np.cumsum(width)]).astype(np.int64)


def has_strays(text: str) -> bool:
    """Whether the text has a surrogate: a stray byte, or half of a character."""
    if text.isascii():
        return False
    found = points(text)
    return bool(((found >= 0xD800) & (found < 0xE000)).any())


def each(test: Callable[[str], bool], text: str) -> NDArray[np.bool_]:
    """`[n]`: what the test says of each character, asked once of each that there is."""
    found, places = np.unique(points(text), return_inverse=True)
    return np.array([test(chr(c)) for c in found.tolist()], dtype=np.bool_)[places]
