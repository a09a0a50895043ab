"""The kinds of contexts that share weights: by their branches, their different tokens, and the length of the match."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.suffix_array import Index

# The lowest number of each class after the first.
_BRANCHES = (2, 3, 4, 5, 6, 8, 12, 20)
_TOKENS = (2, 3, 5)
_LENGTHS = (*range(1, 17), 18, 20, 24, 28, 32, 40, 48, 64, 96, 128, 256)
_BEYOND = (2, 3, 5, 9, 17, 33)

# From these numbers on, all lengths and all numbers beyond the parent are of one class.
LONG, FAR = _LENGTHS[-1], _BEYOND[-1]
BEYOND = len(_BEYOND) + 1
BUCKETS = (len(_BRANCHES) + 1) * (len(_TOKENS) + 1) * (len(_LENGTHS) + 1) * BEYOND


def _classes(lowest: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the class of each number up to the lowest number of the last class, to be looked up."""
    return np.searchsorted(lowest, np.arange(lowest[-1] + 1), side="right").astype(np.int64)


_CLASS_OF_BRANCHES, _CLASS_OF_TOKENS = _classes(_BRANCHES), _classes(_TOKENS)
_CLASS_OF_LENGTH, _CLASS_OF_BEYOND = _classes(_LENGTHS), _classes(_BEYOND)


def buckets(branches: Index, tokens: Index, length: Index, beyond: Index) -> NDArray[np.int64]:
    """Return the number of the kind of each context.

    Args:
        branches: The sum of the branches of all tokens after the context, as in `Followers`, `[n]`.
        tokens: How many different tokens followed the context, `[n]`.
        length: How many tokens of the history match, `[n]`.
        beyond: How many of the matching tokens lie beyond the parent, the next shorter context, `[n]`.

    Returns:
        `[n]`, from 0 to `BUCKETS` − 1. The `BEYOND` kinds that differ in the class of `beyond` alone stand together.
    """
    return buckets_of_length(branch_kind(branches, tokens), length, beyond)


def branch_kind(branches: Index, tokens: Index) -> NDArray[np.int64]:
    """Return the part of a kind that does not depend on the length of the match, `[n]`; arguments as in `buckets`."""
    first: NDArray[np.int64] = _CLASS_OF_BRANCHES.take(branches, mode="clip")
    return first * (len(_TOKENS) + 1) + _CLASS_OF_TOKENS.take(tokens, mode="clip")


def buckets_of_length(kind: Index, length: Index, beyond: Index) -> NDArray[np.int64]:
    """Return what `buckets` returns, for contexts whose `branch_kind` is `kind`, `[n]`."""
    out: NDArray[np.int64] = kind * (len(_LENGTHS) + 1) + _CLASS_OF_LENGTH.take(length, mode="clip")
    return out * BEYOND + _CLASS_OF_BEYOND.take(beyond, mode="clip")
