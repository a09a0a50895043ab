"""A permutation test of exchangeability: whether the order of the documents has a meaning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.statistics.permutation import p_value
from pofx.algorithms.statistics.shingles import shingles
from pofx.lm.trace import Ints
from pofx.queries.corpus_audit.record import Corpus
from pofx.queries.findings import Check, Finding, Measure
from pofx.units import count_noun

LEVEL = 0.01
# The most runs, and the documents in a row of each run: 999 shuffles of 4,096 documents take a second.
RUNS, LONGEST = 64, 64
FEWEST = 16
SHUFFLES = 999
# The length of the vector of a document, and the number of its characters that are read.
WIDTH = 128
HEAD = 20_000


def order_finding(corpus: Corpus, seed: int) -> Finding:
    """Test neighbours against shuffles: p = (1 + #{shuffles whose neighbours are as alike}) / (M + 1).

    p is uniform if the documents are exchangeable, for documents of any kind. The statistic is the mean cosine of
    neighbours' hashed 5-character shingles, from which the mean over all documents is subtracted. The code length of an
    adaptive n-gram would have no power, since a code that only counts gives every order the same length. A large corpus is
    tested by 64 runs of 64 documents, which are exchangeable if the whole corpus is.

    Args:
        corpus: The corpus.
        seed: Seed of the runs and shuffles.

    Returns:
        The finding, a p-value.
    """
    rng = np.random.default_rng(seed)
    at, follows = choose_runs(corpus, rng)
    if follows.sum() < FEWEST:
        return Finding(
            Check.ORDER,
            "warn",
            None,
            None,
            Measure.P_VALUE,
            f"Not tested: expected at least {FEWEST} documents that stand after another, got {follows.sum()}.",
        )
    vectors = hashed_vectors([corpus.texts[i] for i in at.tolist()])
    found, usual, p = order_test(vectors, follows, SHUFFLES, rng)
    odd = p <= LEVEL
    why = (
        f"Documents that stand next to one another are {found:.3f} alike (mean cosine of "
        f"{count_noun(int(follows.sum()), 'pair')}), after a shuffle {usual:.3f}; "
        f"of {SHUFFLES} shuffles {round(p * (SHUFFLES + 1)) - 1} come as high. "
    )
    why += (
        "So the documents are not independent draws: they are sorted, or pieces of something longer. Split by "
        "source, not by document, and read error bars as too small."
        if odd
        else "So nothing speaks against exchangeable documents. Under exchangeability this p is uniform."
    )
    return Finding(Check.ORDER, "fail" if odd else "pass", p, LEVEL, Measure.P_VALUE, why)


def order_test(
    vectors: NDArray[np.float64], follows: NDArray[np.bool_], shuffles: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Test whether neighbours are more alike than after a shuffle.

    Args:
        vectors: A vector for each document, `[n, d]`.
        follows: Whether each document is a neighbour of the one before, `[n]`.
        shuffles: Number of shuffles.
        rng: Generator of the shuffles.

    Returns:
        The mean inner product of neighbours, its mean over shuffles, and p.
    """
    second = np.flatnonzero(follows)
    single = vectors.astype(np.float32)

    def alike(order: Ints) -> float:
        return float(np.einsum("ij,ij->", single[order[second - 1]], single[order[second]])) / len(second)

    n = len(vectors)
    found = alike(np.arange(n))
    null = np.array([alike(rng.permutation(n)) for _ in range(shuffles)])
    return found, float(null.mean()), p_value(found, null)


def hashed_vectors(texts: Sequence[str]) -> NDArray[np.float64]:
    """Hash shingle counts to 128 places with a sign (Weinberger 2009), subtract the mean, and scale to length 1."""
    rows = []
    for hashes, offsets in shingles([t[:HEAD] for t in texts]):
        place = (hashes % np.uint64(WIDTH)).astype(np.int64)
        sign = 1.0 - 2.0 * ((hashes >> np.uint64(40)) & np.uint64(1)).astype(np.float64)
        sizes = (offsets[1:] - offsets[:-1]).astype(np.int64)
        text = np.repeat(np.arange(len(sizes)), sizes)
        flat = np.bincount(text * WIDTH + place, sign, minlength=(len(offsets) - 1) * WIDTH)
        rows.append(flat.astype(np.float64).reshape(-1, WIDTH))
    alone = _unit(np.concatenate(rows))
    return _unit(alone - alone.mean(axis=0))


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    out: NDArray[np.float64] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return out


def choose_runs(corpus: Corpus, rng: np.random.Generator) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the places of the documents to test, and whether each is a neighbour of the document before."""
    follows = corpus.follows
    if corpus.n <= RUNS * LONGEST:
        return np.arange(corpus.n), follows
    starts = np.sort(rng.choice(corpus.n // LONGEST, RUNS, replace=False)) * LONGEST
    at = (starts[:, None] + np.arange(LONGEST)).ravel()
    inner = follows[at]
    inner[::LONGEST] = False
    return at, inner
