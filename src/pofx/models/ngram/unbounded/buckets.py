"""The kinds of contexts that share weights: by how much was seen, how many tokens differed, and how long the match is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.suffix_array import Index

# The lowest number of each class after the first.
_BRANCHES = (2, 3, 4, 5, 6, 8, 12, 20)
_TOKENS = (2, 3, 5)
_LENGTHS = (*range(1, 17), 18, 20, 24, 28, 32, 40, 48, 64, 96, 128, 256)
_BEYOND = (2, 3, 5, 9, 17, 33)

BEYOND = len(_BEYOND) + 1
BUCKETS = (len(_BRANCHES) + 1) * (len(_TOKENS) + 1) * (len(_LENGTHS) + 1) * BEYOND


def buckets(branches: Index, tokens: Index, length: Index, beyond: Index) -> NDArray[np.int64]:
    """Return the number of the kind of each context, below `BUCKETS`; kinds of one length stand together, `BEYOND` each.

    Args:
        branches: How many longer contexts and histories go on from the context.
        tokens: How many different tokens followed the context.
        length: How many tokens of the history match.
        beyond: How many of these lie beyond the parent, the longest context that was seen with other tokens before it.
    """
    out = np.searchsorted(_BRANCHES, branches, side="right")
    for classes, values in ((_TOKENS, tokens), (_LENGTHS, length), (_BEYOND, beyond)):
        out = out * (len(classes) + 1) + np.searchsorted(classes, values, side="right")
    return out.astype(np.int64)
