"""Bytes split into pieces that a vocabulary spells, and pieces that it cannot spell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pofx.vocab.vocabulary import Vocab

# The shortest text between unencodable bytes, since a text costs 17 bytes of header, a word of 32 bits, x0 and EOS.
SHORTEST = 32
# The length in bytes at which halving stops; shorter pieces are trimmed from both ends.
_LEAF = 128


@dataclass(frozen=True)
class TextPiece:
    """A piece of the data.

    Attributes:
        data: The bytes.
        text: Whether the vocabulary spells exactly these bytes.
    """

    data: bytes
    text: bool


def split_pieces(vocab: Vocab, data: bytes) -> list[TextPiece]:
    """Split data into texts that the vocabulary spells, and pieces between; the search looks for few, long texts.

    A piece is a text if decoding its encoding gives its bytes again, since tokenizers drop, normalise or refuse some bytes.

    Args:
        vocab: The vocabulary.
        data: The data.

    Returns:
        The pieces in order. No two neighbours are both unencodable.
    """
    if spells(vocab, data):
        return [TextPiece(data, True)]
    out: list[TextPiece] = []
    for piece in _candidate_pieces(vocab, data):
        text = piece.text and len(piece.data) >= SHORTEST
        if not piece.data:
            continue
        if out and not text and not out[-1].text:
            out[-1] = TextPiece(out[-1].data + piece.data, False)
        else:
            out.append(TextPiece(piece.data, text))
    return out


def spells(vocab: Vocab, data: bytes) -> bool:
    """Return whether the vocabulary has a spelling of exactly these bytes."""
    if vocab.spells_bytes:
        return True
    try:
        return vocab.decode(vocab.encode(data)) == data
    except (
        ValueError,
        LookupError,
    ):  # `NotText` is a ValueError; a vocabulary of another author may raise other errors
        return False


def _candidate_pieces(vocab: Vocab, data: bytes) -> Iterator[TextPiece]:
    """Split off bytes that are no UTF-8 or that no token has, and search the runs between these bytes."""
    spelled = set(b"".join(piece for piece in vocab.token_bytes if piece))
    never = re.escape(bytes(b for b in range(256) if b not in spelled))
    parted = re.split("([\udc80-\udcff]+)", data.decode("utf-8", "surrogateescape"))
    for i, part in enumerate(parted):
        some = part.encode("utf-8", "surrogateescape")
        for k, run in enumerate(re.split(b"([" + never + b"]+)", some) if never else [some]):
            if i % 2 or k % 2 or len(run) < SHORTEST:
                yield TextPiece(run, False)
            else:
                yield from _split_by_halves(vocab, run)


def _split_by_halves(vocab: Vocab, data: bytes) -> list[TextPiece]:
    if spells(vocab, data):
        return [TextPiece(data, True)]
    if len(data) < _LEAF:
        return _trim_ends(vocab, data)
    cut = _cut_point(data)
    left, right = _split_by_halves(vocab, data[:cut]), _split_by_halves(vocab, data[cut:])
    a, b = left[-1], right[0]
    both = TextPiece(a.data + b.data, a.text)
    if a.text != b.text or (a.text and not spells(vocab, both.data)):
        return [*left, *right]
    return [*left[:-1], both, *right[1:]]


def _trim_ends(vocab: Vocab, data: bytes) -> list[TextPiece]:
    """Find by bisection the longest text at the beginning and at the end; the piece between is unencodable."""
    lo, hi = 0, len(data)
    while hi - lo > 1:
        middle = (lo + hi) // 2
        lo, hi = (middle, hi) if spells(vocab, data[:middle]) else (lo, middle)
    head, rest = data[:lo], data[lo:]
    lo, hi = 0, len(rest)
    while hi - lo > 1:
        middle = (lo + hi) // 2
        lo, hi = (lo, middle) if spells(vocab, rest[middle:]) else (middle, hi)
    out = [TextPiece(head, True), TextPiece(rest[:hi], False), TextPiece(rest[hi:], True)]
    return [piece for piece in out if piece.data]


def _cut_point(data: bytes) -> int:
    """Return a place near the middle: after a line end if there is one near, else before a character."""
    middle = len(data) // 2
    line = data.rfind(b"\n", middle // 2, middle)
    if line >= 0:
        return line + 1
    return next((at for at in range(middle, middle - 4, -1) if data[at] & 0xC0 != 0x80), middle)
