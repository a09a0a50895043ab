"""Counting the n-grams of documents into a sorted table of the longest ones, block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.prefix_table import (
    Index,
    PackedStrings,
    Packing,
    PrefixTable,
    backward_strings,
    count_distinct,
    merge_counts,
)

# How many positions are counted at a time. A block of 4 M takes 32 MB for each packed word of 63 bits, and as much again to
# sort. Larger blocks were no faster, since sorting takes n log n steps, and merging n.
BLOCK = 1 << 22


@dataclass(frozen=True)
class Codes:
    """The codes of tokens in a table: 0 is padding, token t has code t + 1, and x0 has the last code.

    Attributes:
        size: The number of outcomes of the vocabulary.
    """

    size: int

    @property
    def begin(self) -> int:
        """The code of x0."""
        return self.size + 1

    def packing(self, order: int) -> Packing:
        """Return the packing of strings of `order` codes."""
        return Packing(int(self.begin).bit_length(), order)


@dataclass(frozen=True, eq=False)
class Counts:
    """The counts of n-grams in documents.

    Attributes:
        table: The distinct n-grams of the full order.
        events: `[rows]`, how often the n-gram of each row was an event. x0 itself is never an event.
        documents: How many documents were counted.
        tokens: How many tokens were events.
    """

    table: PrefixTable
    events: Index
    documents: int
    tokens: int


def count_ngrams(documents: Iterable[NDArray[np.int64]], size: int, order: int, begin: bool) -> Counts:
    """Count the n-grams of documents.

    A block takes 100 bytes a position of memory (0.4 GB for 4 M positions). A distinct n-gram of the full order takes 90
    bytes: 76 to 86 were measured at order 6, look-up tables included.

    Args:
        documents: The token ids of each document, EOS at their end where it counts.
        size: The number of outcomes of the vocabulary.
        order: How many tokens the longest n-grams have.
        begin: Whether x0 stands before each document, so that every token is an event. Without x0 the first token of a
            document is only a history of others.
    """
    held = HeldCounts(Codes(size).packing(order))
    for part in counted_blocks(documents, size, order, begin):
        held.add(part)
    words, events = held.merged()
    return Counts(PrefixTable(words, held.packing), events, held.documents, held.tokens)


@dataclass(frozen=True, eq=False)
class BlockCounts:
    """The counts of n-grams in one block of text.

    Attributes:
        parts: Distinct strings of the full order in rising order, each with how often it was an event: first the events,
            then the first positions of documents, which are histories alone.
        documents: How many documents ended in the block.
        tokens: How many tokens were events.
    """

    parts: tuple[tuple[PackedStrings, Index], ...]
    documents: int
    tokens: int


def counted_blocks(
    documents: Iterable[NDArray[np.int64]], size: int, order: int, begin: bool, block: int | None = None
) -> Iterator[BlockCounts]:
    """Count the n-grams of each block of documents.

    Args:
        documents: As in `count_ngrams`.
        size: As in `count_ngrams`.
        order: As in `count_ngrams`.
        begin: As in `count_ngrams`.
        block: About how many positions are counted at a time; `BLOCK` by default.
    """
    codes = Codes(size)
    packing = codes.packing(order)
    for pieces, docs in _blocks(documents, order, codes, begin, block or BLOCK):
        laid, ours = _laid_out(pieces, order)
        # A first position (x0, or the first token where there is no x0) follows padding and is no event.
        is_first = ours.copy()
        is_first[1:] &= laid[:-1] == 0
        event = ours & ~is_first
        words = backward_strings(laid, packing)
        heads, _ = count_distinct(words[is_first])
        both = (count_distinct(words[event]), (heads, np.zeros(len(heads), dtype=np.int64)))
        yield BlockCounts(both, docs, int(event.sum()))


def closed(ids: NDArray[np.integer], end: int | None) -> NDArray[np.int64]:
    """Return the ids of a document with EOS after them, if there is an EOS."""
    out = np.empty(len(ids) + (end is not None), dtype=np.int64)
    out[: len(ids)] = ids
    if end is not None:
        out[-1] = end
    return out


class HeldCounts:
    """Counts of blocks that are held in memory, merged as they come. Local to one count.

    Attributes:
        packing: The packing of the strings.
        documents: How many documents have been counted.
        tokens: How many tokens were events.
    """

    def __init__(self, packing: Packing) -> None:
        self.packing = packing
        self.documents = self.tokens = 0
        self._parts: list[tuple[PackedStrings, Index]] = []

    @property
    def rows(self) -> int:
        """How many strings are held; a string counts once for each part that has it."""
        return sum(len(words) for words, _ in self._parts)

    def add(self, block: BlockCounts) -> None:
        """Add a block, and keep the sizes of parts geometric, so that all merges together take n log n steps."""
        self.documents += block.documents
        self.tokens += block.tokens
        for part in block.parts:
            if not len(part[0]):
                continue
            self._parts.append(part)
            while len(self._parts) > 1 and len(self._parts[-2][0]) < 2 * len(self._parts[-1][0]):
                self._parts.append(merge_counts(self._parts.pop(), self._parts.pop()))

    def merged(self) -> tuple[PackedStrings, Index]:
        """Return the distinct strings in rising order, and the events of each, and hold none of them any longer."""
        parts, self._parts = self._parts, []
        while len(parts) > 1:
            parts.append(merge_counts(parts.pop(), parts.pop()))
        if parts:
            return parts[0]
        return np.zeros((0, self.packing.words), dtype=np.uint64), np.zeros(0, dtype=np.int64)


def _blocks(
    documents: Iterable[NDArray[np.int64]], order: int, codes: Codes, begin: bool, block: int
) -> Iterator[tuple[list[NDArray[np.uint64]], int]]:
    """Yield pieces of documents as codes, about `block` codes at a time, and how many documents have been read.

    Each piece begins with `order` codes of context. The context is padding at the start of a document. A document longer
    than a block is cut, and the context of its next piece is the end of the piece before.
    """
    front = np.array([0] * order + [codes.begin] * begin, dtype=np.uint64)
    pieces: list[NDArray[np.uint64]] = []
    held = docs = 0
    for ids in documents:
        docs += 1
        text = np.empty(len(front) + len(ids), dtype=np.uint64)
        text[: len(front)] = front
        np.add(ids, 1, out=text[len(front) :], casting="unsafe")
        for at in range(order, len(text), block):
            pieces.append(text[at - order : at + block])
            held += len(pieces[-1])
            if held >= block:
                yield pieces, docs
                pieces, held, docs = [], 0, 0
    yield pieces, docs


def _laid_out(pieces: list[NDArray[np.uint64]], order: int) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Join pieces in a row, and mark the positions that count: all but the context at the start of each piece."""
    block = np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.uint64)
    ours = np.ones(len(block), dtype=bool)
    starts = np.cumsum([0] + [len(p) for p in pieces])[:-1].astype(np.int64)
    ours[(starts[:, None] + np.arange(order)).ravel()] = False
    return block, ours
