"""The contexts of a training text: for every event of every document the history before it, newest token first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.suffix_array import Index, suffix_array
from pofx.algorithms.suffix_tree import SuffixTree, suffix_tree
from pofx.models.ngram.counting import Codes

# Two histories that share so many tokens are one context. Without this bound a run of a million equal tokens would make a
# million nested contexts, which are computed one after the other: at 4,096 the fit of such a run took 73 s of CPU. All
# matches from 256 tokens on have the same weights. The match with a history that occurred once has no such bound.
LONGEST = 256


@dataclass(frozen=True, eq=False)
class Contexts:
    """The histories of all events in sorted order, newest token first, with the tree of their common prefixes.

    Attributes:
        tree: The tree, whose leaves are the histories. The prefix of a node is a context: the last tokens of several
            histories, before which these histories have different tokens.
        token: `[events]`, the token that followed each history.
        following: `[events]`, the history of the next event of the document; −1 for the last event.
        alone: `[V + 1]`, the place of the context that is one token alone, x0 last: a node, or −1 − i for history i, or the
            root where no history ends in the token.
    """

    tree: SuffixTree
    token: Index
    following: Index
    alone: Index


def contexts_of(
    documents: Iterable[NDArray[np.int64]], size: int, begin: bool, longest: int = LONGEST
) -> Contexts:
    """Sort the histories of all events of documents.

    The documents are written backwards, one after the other, so that each history is a suffix. The padding, code 0, stands
    after each document, and no history goes on beyond the padding.

    Args:
        documents: The token ids of each document, EOS at their end where it counts.
        size: The number of outcomes of the vocabulary.
        begin: Whether x0 stands before each document. Without x0 the first token of a document is no event.
        longest: How many tokens two histories share at most.

    Returns:
        The histories and their contexts.
    """
    head = np.array([Codes(size).begin] if begin else [], dtype=np.int64)
    lines, tokens, lengths = [], [], []
    for ids in documents:
        line = np.concatenate([head, ids + 1])
        if len(line) > 1:
            lines.append(np.append(line[-2::-1], 0))
            tokens.append(np.append(line[:0:-1] - 1, -1))
            lengths.append(len(line))
    text, token = (np.concatenate([*part, head[:0]]) for part in (lines, tokens))
    n, paddings = len(text), len(lengths)
    order, shared = suffix_array(text)
    place = np.empty(n, dtype=np.int64)
    place[order] = np.arange(n)
    # The suffixes that begin with the padding stand first, and are no histories.
    order, shared = order[paddings:], shared[paddings:]
    room = np.repeat(np.cumsum(np.array(lengths, dtype=np.int64)), lengths) - 1 - np.arange(n)
    own = np.minimum(room[order], longest)
    shared[1:] = np.minimum(shared[1:], np.minimum(own[1:], own[:-1]))
    following = np.where(order > 0, place[order - 1] - paddings, -1)
    tree = suffix_tree(shared)
    newest, codes = text[order], np.arange(size + 1) + 1
    low, high = np.searchsorted(newest, codes), np.searchsorted(newest, codes, side="right")
    alone = np.where(high > low, tree.loci(low, np.maximum(high, low + 1)), 0)
    return Contexts(tree, token[order], np.maximum(following, -1), alone)
