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
    codes = Codes(size)
    packing = codes.packing(order)
    n_documents = n_tokens = 0
    parts: list[tuple[PackedStrings, Index]] = []
    for pieces, docs in _blocks(documents, order, codes, begin):
        n_documents += docs
        block, ours = _laid_out(pieces, order)
        # A first position (x0, or the first token where there is no x0) follows padding and is no event.
        is_first = ours.copy()
        is_first[1:] &= block[:-1] == 0
        event = ours & ~is_first
        n_tokens += int(event.sum())
        words = backward_strings(block, packing)
        _merge_in(parts, count_distinct(words[event]))
        heads, _ = count_distinct(words[is_first])
        _merge_in(parts, (heads, np.zeros(len(heads), dtype=np.int64)))
    while len(parts) > 1:
        parts.append(merge_counts(parts.pop(), parts.pop()))
    words, events = (
        parts[0] if parts else (np.zeros((0, packing.words), dtype=np.uint64), np.zeros(0, np.int64))
    )
    return Counts(PrefixTable(words, packing), events, n_documents, n_tokens)


def _blocks(
    documents: Iterable[NDArray[np.int64]], order: int, codes: Codes, begin: bool
) -> Iterator[tuple[list[NDArray[np.uint64]], int]]:
    """Yield pieces of documents as codes, about `BLOCK` codes at a time, and how many documents have been read.

    Each piece begins with `order` codes of context. The context is padding at the start of a document. A document longer
    than a block is cut, and the context of its next piece is the end of the piece before.
    """
    gap = np.zeros(order, dtype=np.uint64)
    head = np.array([codes.begin] if begin else [], dtype=np.uint64)
    pieces: list[NDArray[np.uint64]] = []
    held = docs = 0
    for ids in documents:
        docs += 1
        text = np.concatenate([gap, head, ids.astype(np.uint64) + np.uint64(1)])
        for at in range(order, len(text), BLOCK):
            pieces.append(text[at - order : at + BLOCK])
            held += len(pieces[-1])
            if held >= BLOCK:
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


def _merge_in(parts: list[tuple[PackedStrings, Index]], part: tuple[PackedStrings, Index]) -> None:
    """Add a part, and keep the sizes of parts geometric, so that all merges together take n log n steps."""
    if not len(part[0]):
        return
    parts.append(part)
    while len(parts) > 1 and len(parts[-2][0]) < 2 * len(parts[-1][0]):
        parts.append(merge_counts(parts.pop(), parts.pop()))
