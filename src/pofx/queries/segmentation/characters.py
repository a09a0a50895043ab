"""The characters of a text: code points, their bytes, and grapheme clusters, which readers see as one character."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pofx.lm.trace import Ints

# Code points that form no cluster with each other: ASCII without CR, Latin, Cyrillic, kana, ideographs, Hangul syllables.
PLAIN = (
    *((0x00, 0x0C), (0x0E, 0x7E), (0xC0, 0x24F), (0x400, 0x481)),
    *((0x3041, 0x3096), (0x30A1, 0x30FA), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3)),
)


def code_points(text: str) -> NDArray[np.uint32]:
    """Return the code point of each character, `[n]`; a stray byte has the code point of its surrogate."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def byte_offsets(text: str) -> Ints:
    """Return the offset of each character in the bytes of the text, and the end of the last character, `[n + 1]`."""
    points = code_points(text)
    width = 1 + (points >= 0x80) + (points >= 0x800) + (points >= 0x10000)
    width[(points >= 0xDC80) & (points <= 0xDCFF)] = 1  # a stray byte
    return np.concatenate([[0], np.cumsum(width)]).astype(np.int64)


def has_surrogates(text: str) -> bool:
    """Return whether the text has a surrogate: a stray byte, or half of a character."""
    if text.isascii():
        return False
    points = code_points(text)
    return bool(((points >= 0xD800) & (points < 0xE000)).any())


def test_characters(test: Callable[[str], bool], text: str) -> NDArray[np.bool_]:
    """Apply a test to each character, `[n]`; each distinct character is tested once."""
    distinct, places = np.unique(code_points(text), return_inverse=True)
    return np.array([test(chr(c)) for c in distinct.tolist()], dtype=np.bool_)[places]


def graphemes(text: str) -> Ints:
    r"""Return the beginning and the end of each extended grapheme cluster, `[n, 2]`, in characters.

    Clusters are the matches of \X in the regular expressions of `tokenizers`. A cluster always ends between two plain
    characters. So the library, which takes 5 µs a cluster, gets only the text between such places.
    """
    if not text:
        return np.zeros((0, 2), dtype=np.int64)
    plain = _plain(code_points(text))
    begins = np.flatnonzero(np.append(True, plain[1:] & plain[:-1]))
    ends = np.append(begins[1:], len(text))
    long = ends - begins > 1
    starts = begins[~long]
    if long.any():
        inside = np.repeat(long, ends - begins)
        given = text if long.all() else "".join(text[a:b] for a, b in zip(begins[long], ends[long]))
        starts = np.sort(np.append(starts, np.flatnonzero(inside)[_starts(given)]))
    return np.stack([starts, np.append(starts[1:], len(text))], axis=1)


def _starts(text: str) -> Ints:
    from tokenizers import Regex, pre_tokenizers

    # The library's strings are UTF-8. A stray byte is a cluster of its own, so any one character may replace it.
    whole = text.encode("utf-8", "replace").decode("utf-8")
    cut = pre_tokenizers.Split(Regex(r"\X"), "isolated").pre_tokenize_str(whole)
    return np.array([span[0] for _, span in cut], dtype=np.int64)


def _plain(points: NDArray[np.uint32]) -> NDArray[np.bool_]:
    out = np.zeros(len(points), dtype=np.bool_)
    for low, high in PLAIN:
        out |= (points >= low) & (points <= high)
    return out
