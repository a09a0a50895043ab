"""Candidates for near copies: pairs of documents that agree in one band of their minima, or in all minima."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pofx.queries.corpus_audit.near_duplicates import BANDS, CROWD, HOPELESS, ROWS

# The last band is all minima, which texts share that differ in case and white space alone.
ALL_BANDS = BANDS + 1
# Pairs that are compared at a time.
_BATCH = 1 << 14

# Pairs of documents i < j, `[p, 2]`.
Pairs = NDArray[np.int64]


def no_pairs() -> Pairs:
    """Return an array of no pairs."""
    return np.zeros((0, 2), dtype=np.int64)


def band_keys(minima: NDArray[np.uint32], band: int) -> NDArray[np.uint64]:
    """Return a 64-bit hash of one band of each document, `[n]`; equal hashes of different bands only cost a comparison.

    Args:
        minima: The minima of the documents, `[n, MINIMA]`.
        band: The number of the band, from 0 to `BANDS`.
    """
    rows = minima if band == BANDS else minima[:, band * ROWS : (band + 1) * ROWS]
    out = np.zeros(len(rows), dtype=np.uint64)
    for column in rows.T:
        out = (out ^ column) * np.uint64(0xFF51AFD7ED558CCD)
        out ^= out >> np.uint64(32)
    return out


def pair_bucket(bucket: NDArray[np.int64]) -> Pairs:
    """Return the pairs of documents with one key.

    In a crowd each document is paired with the first and the previous one only.

    Args:
        bucket: The documents, `[n]`, in rising order.
    """
    if len(bucket) <= CROWD:
        i, j = np.triu_indices(len(bucket), 1)
    else:
        rest = np.arange(1, len(bucket))
        i, j = np.concatenate([np.zeros_like(rest), rest[:-1]]), np.concatenate([rest, rest[1:]])
    return np.stack([bucket[i], bucket[j]], axis=1)


def hopeful(pairs: Pairs, minima: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return for each pair whether its share of equal minima gives hope of a near copy, `[p]`.

    Args:
        pairs: The pairs, as rows of `minima`.
        minima: The minima of the documents, `[n, MINIMA]`.
    """
    out = np.zeros(len(pairs), dtype=np.bool_)
    for at in range(0, len(pairs), _BATCH):
        a, b = pairs[at : at + _BATCH].T
        out[at : at + _BATCH] = (minima[a] == minima[b]).mean(axis=1) >= HOPELESS
    return out
