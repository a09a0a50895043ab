"""Counting n-grams: from documents to a sorted table of the longest ones, in bounded memory."""

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

# Positions counted at a time. A block of 4 M takes 32 MB of packed words a 63 bits and as much again to sort;
# larger blocks were no faster (sorting is n log n, merging is linear).
BLOCK = 1 << 22


@dataclass(frozen=True)
class Codes:
    """How tokens become codes of a table: 0 pads, token t is t + 1, x0 is the last code."""

    size: int

    @property
    def begin(self) -> int:
        """The code of x0."""
        return self.size + 1

    def packing(self, order: int) -> Packing:
        """The packing of strings of `order` codes."""
        return Packing(int(self.begin).bit_length(), order)


@dataclass(frozen=True, eq=False)
class Counts:
    """`events[r]`: how often the n-gram of row r was an event (x0 itself never is one)."""

    table: PrefixTable
    events: Index
    documents: int
    tokens: int


def count_ngrams(documents: Iterable[NDArray[np.int64]], size: int, order: int, begin: bool) -> Counts:
    """Count the n-grams of documents of token ids (EOS included by the caller), newest token first.

    With `begin`, x0 stands before each document and every token is an event. Without, the first token of each
    document is only a history: nothing was there to predict it from.

    Memory: 100 bytes a position of one block (4 M positions: 0.4 GB), and 90 bytes a distinct n-gram of the full
    order (76 to 86 measured at order 6, look-up tables included).
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
    """Pieces of documents as codes, about `BLOCK` codes at a time; each piece opens with `order` codes of context.

    That is padding where a document begins; a document longer than a block is cut, and goes on behind its own.
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
    """Pieces in a row, and which positions are theirs to count: all but the context they open with."""
    block = np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.uint64)
    ours = np.ones(len(block), dtype=bool)
    starts = np.cumsum([0] + [len(p) for p in pieces])[:-1].astype(np.int64)
    ours[(starts[:, None] + np.arange(order)).ravel()] = False
    return block, ours


def _merge_in(parts: list[tuple[PackedStrings, Index]], part: tuple[PackedStrings, Index]) -> None:
    """Keep the parts geometric in size, so that all merges together are O(n log n)."""
    if not len(part[0]):
        return
    parts.append(part)
    while len(parts) > 1 and len(parts[-2][0]) < 2 * len(parts[-1][0]):
        parts.append(merge_counts(parts.pop(), parts.pop()))
