"""Pieces of a text: the shortest runs of tokens that spell whole characters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.queries.scoring.score import Scored
from pofx.vocab.vocabulary import to_bytes


@dataclass(frozen=True)
class Piece:
    """A run of tokens that spells whole characters.

    A piece is nearly always one token. Several tokens are one piece where they spell parts of one character, such as an
    emoji of a byte vocabulary. A byte that belongs to no character is a piece of its own.

    Attributes:
        lo: The position of the first token.
        hi: The position after the last token.
        data: The bytes that the tokens spell.
        surprisal: −Σ log p of the tokens, nats.
    """

    lo: int
    hi: int
    data: bytes
    surprisal: float


def pieces(scored: Scored, limit: int | None = None) -> list[Piece]:
    """Return the pieces of a text, in order. Together they spell each byte once.

    Args:
        scored: The text.
        limit: The most tokens; None for all. The last piece may reach past the limit, to the end of its character.
    """
    data = to_bytes(scored.text)
    whole = character_ends(data)
    spans, n = scored.spans, len(scored.tokens)
    out: list[Piece] = []
    lo = 0
    for i in range(n):
        start, stop = int(spans[lo, 0]), int(spans[i, 1])
        # A token that spells nothing joins its right neighbour, or its left neighbour at the end of the text.
        last = i + 1 == n
        if not last and (stop == start or not whole[min(stop, len(data))]):
            continue
        surprisal = -float(scored.logp[lo : i + 1].sum())
        if stop == start and out:
            left = out.pop()
            out.append(Piece(left.lo, i + 1, left.data, left.surprisal + surprisal))
        else:
            out.append(Piece(lo, i + 1, data[start:stop], surprisal))
        lo = i + 1
        if limit is not None and lo >= limit:
            break
    return out


def character_ends(data: bytes) -> NDArray[np.bool_]:
    """Return whether a character begins or ends at each byte offset, where a byte of no character is a character.

    Args:
        data: The bytes.

    Returns:
        `[len(data) + 1]`.
    """
    decoded = data.decode("utf-8", "surrogateescape")
    points = np.frombuffer(decoded.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    stray = (points >= 0xDC80) & (points <= 0xDCFF)
    widths = 1 + (points >= 0x80).astype(np.int64) + (points >= 0x800) + (points >= 0x10000)
    ends = np.zeros(len(data) + 1, dtype=np.bool_)
    ends[0] = True
    ends[np.cumsum(np.where(stray, 1, widths))] = True
    return ends
