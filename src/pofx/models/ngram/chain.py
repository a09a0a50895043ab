"""An n-gram model as a finite Markov chain of histories, which gives the exact distribution of its text lengths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.statistics.absorbing_chains import Chain, never_stops, survival
from pofx.lm.model import Termination
from pofx.models.ngram.backoff import Backoff
from pofx.models.ngram.counting import Codes
from pofx.models.ngram.smoothing import Levels
from pofx.models.ngram.survival import survival_by_backoff

# How many probabilities may be computed, and how many transitions kept. 1.2 M transitions take 6 ms a move, so 512 moves
# take 3 s. A smoothed model has a transition for every token of every history: over bytes 1.5 M transitions are 5,800
# histories, which is order 3.
PROBABILITIES = 20_000_000
EDGES = 1_500_000
ROWS = 2048  # how many histories are looked up at once


def termination(backoff: Backoff, end: int, lengths: Sequence[int]) -> Termination | None:
    """Compute P(length > L) for each length L, and P(the text never ends), exactly.

    The histories are the states of a chain, and EOS stops the chain. Beyond 1.5 million transitions only the seen n-grams
    are followed (`survival_by_backoff`), for as many of the lengths as 4 s allow. Then `never` is 0 if EOS has positive
    probability after every history, since a chain of finitely many such states ends (Du et al. 2023).

    Args:
        backoff: The back-off distribution of a model with x0 and EOS.
        end: The id of EOS.
        lengths: The lengths L, in tokens.

    Returns:
        The distribution of lengths; None where it cannot be computed exactly.

    Right: `lm.termination([1, 2, 4])` of an n-gram. Wrong: a model that was fitted without x0, whose texts have no start.
    """
    chain = build_chain(backoff, end)
    if chain is None:
        if not _always_can_end(backoff.levels):
            return None
        return Termination(survival_by_backoff(backoff, end, lengths) if backoff.levels.chain else (), 0.0)
    lo, hi = never_stops(chain, 0)
    if hi - lo > 1e-9:
        return None
    # Length > L: no EOS after 0, 1, …, L tokens, which are L + 1 moves.
    return Termination(survival(chain, 0, [n + 1 for n in lengths]), (lo + hi) / 2)


def build_chain(backoff: Backoff, end: int) -> Chain | None:
    """Build the chain of the histories that x0, state 0, can reach; None where the chain is too large.

    Histories with the same longest part that the table has are one state. So there are at most as many states as n-grams.
    """
    size = backoff.size
    longest = max((len(backoff.table.first(k)) for k in range(backoff.order)), default=1)
    if longest * size > (EDGES if _always_can_end(backoff.levels) else PROBABILITIES):
        return None
    first = np.zeros((1, max(backoff.order - 1, 1)), dtype=np.uint64)
    if backoff.order > 1:
        first[0, 0] = Codes(size).begin
    state, key = shorten_histories(backoff, first, np.ones(1, dtype=np.int64))
    names = {key[0].tobytes(): 0}
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = []
    stops: list[NDArray[np.float64]] = []
    waiting = [(state, key[:, -1].astype(np.int64))]
    done = edges = 0
    while waiting:
        history, known = waiting.pop(0)
        row, length = _find(backoff, history)
        p = np.exp(backoff.distributions(row, np.minimum(length, known), known))
        stops.append(p[:, end].copy())
        p[:, end] = 0.0
        source, token = np.nonzero(p)
        edges += len(source)
        if edges > EDGES or len(names) * size > PROBABILITIES:
            return None
        longer = np.concatenate([(token[:, None] + 1).astype(np.uint64), history[source]], axis=1)
        history, key = shorten_histories(backoff, longer[:, : history.shape[1]], known[source] + 1)
        where, inverse = _distinct(key)
        ids = np.array([names.setdefault(k.tobytes(), len(names)) for k in key[where]], dtype=np.int64)
        parts.append((source + done, ids[inverse], p[source, token]))
        done += len(p)
        known_here = sum(len(h) for h, _ in waiting) + done
        fresh = where[np.argsort(ids)][np.sort(ids) >= known_here]
        for lo in range(0, len(fresh), ROWS):
            some = fresh[lo : lo + ROWS]
            waiting.append((history[some], key[some, -1].astype(np.int64)))
    sources, to, prob = (np.concatenate(column) for column in zip(*parts))
    return Chain(sources, to, prob, np.concatenate(stops))


def shorten_histories(
    backoff: Backoff, history: NDArray[np.uint64], known: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Shorten each history to the longest part that the table has, and make a key of each.

    Returns:
        The shortened histories, and their keys: the packed codes, followed by the length. Where the model has no back-off
        chain, the length is the one of the whole history, since only the whole history counts.
    """
    history = history.copy()
    if backoff.order == 1:
        history[:] = 0
    known = np.minimum(known, backoff.order - 1)
    _, length = _find(backoff, history)
    length = np.minimum(length, known)
    history[np.arange(history.shape[1])[None, :] >= length[:, None]] = 0
    kept = length if backoff.levels.chain else known
    return history, np.concatenate([_words(backoff, history), kept.astype(np.uint64)[:, None]], axis=1)


def _distinct(key: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the first place of each distinct row, in sorted order, and the number of each row among the distinct rows.

    `np.unique(key, axis=0)` returns the same, but takes four times as long, since it compares rows field by field.
    """
    order = np.lexsort(key.T[::-1])
    fresh = np.ones(len(key), dtype=bool)
    fresh[1:] = np.any(key[order[1:]] != key[order[:-1]], axis=1)
    inverse = np.empty(len(key), dtype=np.int64)
    inverse[order] = np.cumsum(fresh) - 1
    return order[fresh], inverse


def _find(backoff: Backoff, history: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    row, length = backoff.table.find(_words(backoff, history))
    return row, length.astype(np.int64)


def _words(backoff: Backoff, history: NDArray[np.uint64]) -> NDArray[np.uint64]:
    blank = np.zeros((len(history), 1), dtype=np.uint64)
    return backoff.table.packing.pack_columns(
        list(np.concatenate([history[:, : backoff.order - 1], blank], axis=1).T)
    )


def _always_can_end(levels: Levels) -> bool:
    """Return whether every token, EOS among them, has positive probability after every history."""
    weights = all(bool(np.all(np.asarray(w) > 0)) for w in levels.weight.values())
    seen = all(bool(np.all(levels.prob[k][s] > 0)) for k, s in levels.seen.items())
    return weights and seen and bool(levels.prob[0][0] > 0)
