"""The join of all documents of a corpus: groups of exact and of near copies, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.statistics.clusters import Groups, Labels
from pofx.algorithms.statistics.shingles import jaccard
from pofx.filtering.copies.candidates import ALL_BANDS, Pairs, band_keys, hopeful, no_pairs, pair_bucket
from pofx.filtering.copies.key_files import KeyFiles
from pofx.filtering.copies.signature import MINIMA, Dedupe, read_signatures
from pofx.filtering.copies.text_store import TextStore
from pofx.queries.corpus_audit.near_duplicates import ALIKE

# About how many bytes the sorting of one file of keys takes.
MEMORY = 1 << 28
# Signatures that are hashed at a time.
_BATCH = 1 << 14

# Batches of the corpus, in order: each is a list of texts or of signatures.
Batches = Callable[[], Iterator[Sequence[str]]]


def join_copies(
    n: int, signatures: Batches, texts: Batches, dedupe: Dedupe, directory: Path, memory: int = MEMORY
) -> tuple[Labels, Labels]:
    """Group the copies of a corpus.

    Exact copies have the same hash of their bytes. Near copies are documents that are linked by pairs whose 5-character
    shingles have a Jaccard similarity of 0.8 or more. MinHash finds candidates, and may miss one such pair of 500; the
    similarity of each candidate is computed. Memory holds `memory` bytes, 24 bytes a document, some 100 bytes for each
    document with a candidate, and 32 bytes a candidate pair; all else lies in files.

    Args:
        n: The number of documents.
        signatures: A function that yields the signatures of all documents, batch by batch, in order.
        texts: A function that yields the texts of all documents, batch by batch, in the same order.
        dedupe: "near" or "exact".
        directory: An empty directory for the files of the join.
        memory: About how many bytes the sorting may take.

    Returns:
        Two arrays, `[n]` each: the number of the first document that is equal to each document, and the number of the first
        document of its group of near copies. With "exact" both arrays are the same.

    Raises:
        OSError: The disk is full.
    """
    hashes = KeyFiles(directory, "exact", 2, n, memory)
    rows = np.zeros((0, MINIMA), np.uint32)
    if dedupe == "near" and n:
        rows = np.memmap(directory / "minima", np.uint32, "w+", shape=(n, MINIMA))
    at = 0
    for batch in signatures():
        found, low = read_signatures(batch, dedupe)
        hashes.add(found, np.arange(at, at + len(batch)))
        if dedupe == "near":
            rows[at : at + len(batch)] = low
        at += len(batch)
    assert at == n  # noqa: S101  (ours: the commit records have counted the documents)
    exact = np.arange(n, dtype=np.int64)
    for documents, cuts in hashes.groups():
        exact[documents] = np.repeat(documents[cuts[:-1]], np.diff(cuts))
    if dedupe != "near":
        return exact, exact
    return exact, merge_pairs(exact, _candidates(exact, rows, directory, memory), texts, directory)


def _candidates(exact: Labels, minima: NDArray[np.uint32], directory: Path, memory: int) -> Pairs:
    """Return the pairs of distinct documents that may be near copies, sorted."""
    distinct = np.flatnonzero(exact == np.arange(len(exact)))
    pairs = no_pairs()
    for band in range(ALL_BANDS):
        keys = KeyFiles(directory, f"band-{band:02d}", 1, len(distinct), memory)
        for start in range(0, len(distinct), _BATCH):
            some = distinct[start : start + _BATCH]
            keys.add(band_keys(minima[some], band)[:, None], some)
        for documents, cuts in keys.groups():
            found = [pairs]
            for k in np.flatnonzero(np.diff(cuts) > 1).tolist():
                own = pair_bucket(documents[cuts[k] : cuts[k + 1]])
                found.append(own[hopeful(own, minima)])
            pairs = np.unique(np.concatenate(found), axis=0)
        keys.remove()
    return pairs


def merge_pairs(exact: Labels, pairs: Pairs, texts: Batches, directory: Path) -> Labels:
    """Group the documents that pairs link whose shingles have a Jaccard similarity of 0.8 or more.

    Args:
        exact: The first document that is equal to each document, `[n]`.
        pairs: Pairs of distinct documents, each once, sorted.
        texts: As in `join_copies`.
        directory: A directory for the texts of the pairs.

    Returns:
        The first document of the group of each document, `[n]`.
    """
    within = np.unique(pairs)
    groups = Groups(len(within))
    with TextStore(directory / "texts") as store:
        _copy_texts(within, texts, store)
        for i, j in pairs.tolist():
            a, b = np.searchsorted(within, (i, j)).tolist()
            if not groups.together(a, b) and jaccard(store[i], store[j]) >= ALIKE:
                groups.join(a, b)
    first = np.arange(len(exact), dtype=np.int64)
    first[within] = within[groups.labels()]
    return first[exact]


def _copy_texts(numbers: NDArray[np.int64], texts: Batches, store: TextStore) -> None:
    """Copy the texts of some documents, whose numbers rise, into the store, in one pass over the corpus."""
    at = 0
    for batch in texts():
        first, last = np.searchsorted(numbers, (at, at + len(batch)))
        some = numbers[first:last]
        store.add(some, [batch[k - at] for k in some.tolist()])
        at += len(batch)
    store.close()
