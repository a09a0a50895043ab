"""Groups of documents that are exact or near copies of one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.statistics.clusters import Groups, Labels
from pofx.algorithms.statistics.shingles import jaccard, minima

# The least Jaccard similarity of the shingle sets of two near-duplicates (Lee et al. 2022).
ALIKE = 0.8
# The number of bands, and the minima of a band. Two documents of similarity 0.8 agree in a band with probability 0.998; at
# similarity 0.5 the probability is 0.28, and at 0.3 it is 0.02.
BANDS, ROWS = 21, 6
# The largest bucket in which all pairs are compared. In a larger bucket, each text is compared with the first and the
# previous text only.
CROWD = 32
# The least share of equal minima (standard error 0.04) for which the similarity is computed.
HOPELESS = 0.65


def group_exact_copies(texts: Sequence[str]) -> Labels:
    """Return for each text the place of the first text that is equal to it, `[n]`."""
    first: dict[str, int] = {}
    return np.array([first.setdefault(t, i) for i, t in enumerate(texts)], dtype=np.int64)


def group_near_copies(texts: Sequence[str], seed: int = 0) -> Labels:
    """Group texts that are equal, or whose 5-character shingles have a Jaccard similarity of 0.8 or more.

    Similar pairs link into groups. MinHash (Broder 1997) of 126 permutations in 21 bands finds candidates, in time linear in
    the corpus. The similarity of each candidate pair is then computed exactly. No pair is reported wrongly, and one of 500
    may be missed.

    Args:
        texts: The texts.
        seed: Seed of the permutations.

    Returns:
        For each text the place of the first text of its group, `[n]`.
    """
    groups = group_exact_copies(texts)
    distinct = np.unique(groups)
    some = [texts[i] for i in distinct.tolist()]
    near = distinct[_merge_pairs(some, minima(some, BANDS * ROWS, seed))]
    out: Labels = near[np.searchsorted(distinct, groups)]
    return out


def _merge_pairs(texts: Sequence[str], rows: NDArray[np.uint32]) -> Labels:
    """Return the first text of each text's group; pairs that are already in one group are not compared."""
    groups = Groups(len(texts))
    refused: set[tuple[int, int]] = set()
    for i, j in _candidate_pairs(rows):
        if groups.together(i, j) or (i, j) in refused:
            continue
        if (rows[i] == rows[j]).mean() >= HOPELESS and jaccard(texts[i], texts[j]) >= ALIKE:
            groups.join(i, j)
        else:
            refused.add((i, j))
    return groups.labels()


def _candidate_pairs(rows: NDArray[np.uint32]) -> Iterator[tuple[int, int]]:
    """Yield pairs i < j that agree in all minima of some band."""
    for b in range(BANDS):
        band = np.ascontiguousarray(rows[:, b * ROWS : (b + 1) * ROWS])
        key = band.view(np.dtype((np.void, band.dtype.itemsize * ROWS))).ravel()
        order = np.argsort(key, kind="stable")
        cuts = np.flatnonzero(key[order][1:] != key[order][:-1]) + 1
        starts, ends = np.concatenate([[0], cuts]), np.concatenate([cuts, [len(order)]])
        for k in np.flatnonzero(ends - starts > 1).tolist():
            bucket = order[starts[k] : ends[k]].tolist()
            if len(bucket) <= CROWD:
                yield from combinations(bucket, 2)
            else:
                yield from ((bucket[0], j) for j in bucket[1:])
                yield from pairwise(bucket)
