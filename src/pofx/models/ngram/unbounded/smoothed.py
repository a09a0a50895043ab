"""The smoothed probabilities of an unbounded n-gram: p of one token, or of every token, after a match of the history."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.suffix_array import Index
from pofx.models.ngram.smoothing import Probs
from pofx.models.ngram.unbounded.buckets import FAR, LONG, branch_kind, buckets_of_length
from pofx.models.ngram.unbounded.followers import Followers
from pofx.models.ngram.unbounded.table import LEAST, ContextTable

# The kind of one history alone.
_ONE = int(branch_kind(np.array([1]), np.array([1]))[0])


@dataclass(frozen=True, eq=False)
class Smoothed:
    """A table of contexts with its probabilities.

        p(w | h) = a · branches(w | h) + b · events(w | h) + c · p(w | h'),   a + b + c = 1

    h is the longest match of the history, h' the next shorter context, and a, b and c are the weights of the kind of h.

    Attributes:
        table: The contexts.
        weights: `[BUCKETS, 3]`, the weights a, b, c of each kind of context.
        prob: `[pairs]`, p of the token of each pair after its whole context.
        rest: `[nodes]`, the weight c that each whole context gives to the next shorter context.
    """

    table: ContextTable
    weights: Probs
    prob: Probs
    rest: Probs

    def advance(self, place: Index, length: Index, token: Index) -> tuple[Probs, Index, Index]:
        """Read one token after each match of a history.

        The match of a history with a token appended is found by looking up the token at the match, then at its parent, and
        so on; p of the next shorter context is looked up on the same way. Each look-up of a token after the second makes the
        match shorter, and each token makes the match longer by at most one. So a text of n tokens takes at most 3n look-ups,
        whatever the length of its matches.

        Args:
            place: `[q]`, the place of the match of each history.
            length: `[q]`, the length of each match.
            token: `[q]`, the next token.

        Returns:
            p of each token, `[q]`, and the places and lengths of the matches with the token appended.
        """
        table = self.table
        nowhere = -1 - len(table.token)
        top = self._top(place, length)
        own, pair, follows = self._own(top, token)
        to, longer = np.zeros(len(place), dtype=np.int64), np.zeros(len(place), dtype=np.int64)
        goes = np.where(top.alone, -1 - self._following(top.history), self._to(pair))
        placed = np.where(top.alone, follows & (goes < 0), goes != nowhere)
        to[placed], longer[placed] = goes[placed], length[placed] + 1
        # Each row climbs until one pair has given p, and one pair a place.
        p, factor, at = np.full(len(place), 1 / table.size), top.weight[:, 2].copy(), top.above.copy()
        priced = np.zeros(len(place), dtype=bool)
        going = np.flatnonzero(at >= 0)
        while len(going):
            here = at[going]
            found = table.find(here, token[going])
            hit = found >= 0
            new = hit & ~priced[going]
            p[going[new]] = self.prob[found[new]]
            priced[going[new]] = True
            factor[going[~hit]] *= self.rest[here[~hit]]
            goes = self._to(found)
            new = (goes != nowhere) & ~placed[going]
            to[going[new]], longer[going[new]] = goes[new], table.depth[here[new]] + 1
            placed[going[new]] = True
            at[going] = table.parent[here]
            going = going[(at[going] >= 0) & ~(priced[going] & placed[going])]
        # A match that is longer than a context of the greatest length counts as this context.
        inner = to >= 0
        longer[inner] = np.minimum(longer[inner], table.depth[to[inner]])
        lost = np.flatnonzero(~placed)
        to[lost] = table.alone[token[lost]]
        longer[lost] = to[lost] != 0
        return np.maximum(own + factor * p, LEAST), to, longer

    def is_settled(self, place: Index, length: Index) -> NDArray[np.bool_]:
        """Return whether a longer match could not change p, `[q]`: one history alone, in the last classes of lengths.

        Args:
            place: `[q]`, the place of each match.
            length: `[q]`, the length of each match.
        """
        table = self.table
        if not len(table.above):
            return place < 0
        above = table.depth[table.above[np.where(place < 0, -1 - place, 0)]]
        settled: NDArray[np.bool_] = (place < 0) & (length >= LONG) & (length - above >= FAR)
        return settled

    def distributions(self, place: Index, length: Index) -> Probs:
        """Compute p of every token after each match of a history, by products and sums of float64 alone.

        Args:
            place: `[q]`, the place of the match of each history.
            length: `[q]`, the length of each match.

        Returns:
            The next-token distributions, `[q, V]`.
        """
        table = self.table
        top = self._top(place, length)
        out = np.full((len(place), table.size), 1 / table.size)
        path, at = [], top.above
        while (at >= 0).any():
            path.append(at)
            at = np.where(at >= 0, table.parent[at], -1)
        for nodes in reversed(path):
            rows = np.flatnonzero(nodes >= 0)
            out[rows] *= self.rest[nodes[rows], None]
            row, pair = self._pairs(nodes[rows])
            out[rows[row], table.key[pair] % table.size] = self.prob[pair]
        out *= top.weight[:, 2, None]
        alone, inner = np.flatnonzero(top.alone), np.flatnonzero(~top.alone)
        if len(alone):
            out[alone, table.token[top.history[alone]]] += top.weight[alone, 0] + top.weight[alone, 1]
        row, pair = self._pairs(place[inner])
        branches, events = table.shares(place[inner][row], pair)
        weight = top.weight[inner][row]
        out[inner[row], table.key[pair] % table.size] += weight[:, 0] * branches + weight[:, 1] * events
        np.maximum(out, LEAST, out=out)
        return out

    def _top(self, place: Index, length: Index) -> _Top:
        """Return the context, the next shorter context and the weights of the match of each history."""
        table = self.table
        alone = place < 0
        history = np.where(alone, -1 - place, 0)
        node = np.where(alone, 0, place)
        above, kind = table.parent[node].astype(np.int64), table.kind[node].astype(np.int64)
        if alone.any():
            above, kind = np.where(alone, table.above[history], above), np.where(alone, _ONE, kind)
        beyond = np.where(above < 0, length, length - table.depth[above])
        weight = self.weights[buckets_of_length(kind, length, beyond)]
        if not len(table.key):
            weight[:] = (0.0, 0.0, 1.0)  # without any event there is only 1/V
        return _Top(alone, history, node, above, weight)

    def _own(self, top: _Top, token: Index) -> tuple[Probs, Index, NDArray[np.bool_]]:
        """Return what the match itself adds to p of each token, the pair, and whether the token followed a single history.

        The pair is −1 for a token that did not follow the match, and for a match of one history alone.
        """
        follows = np.zeros(len(token), dtype=bool)
        pair = np.where(top.alone, -1, self.table.find(top.node, token))
        branches, events = self.table.shares(top.node, pair)
        if top.alone.any():
            follows = top.alone & (self.table.token[top.history] == token)
            branches, events = (np.where(top.alone, follows, share) for share in (branches, events))
        return top.weight[:, 0] * branches + top.weight[:, 1] * events, pair, follows

    def _to(self, pair: Index) -> Index:
        """Return the place that each pair leads to; −1 − n for pair −1."""
        if not len(self.table.to):
            return np.full(len(pair), -1 - len(self.table.token))
        return np.where(pair >= 0, self.table.to[np.maximum(pair, 0)], -1 - len(self.table.token)).astype(
            np.int64
        )

    def _following(self, history: Index) -> Index:
        if not len(self.table.following):
            return np.full(len(history), -1)
        return self.table.following[history].astype(np.int64)

    def _pairs(self, node: Index) -> tuple[Index, Index]:
        """Return all pairs of each node, with the row of `node` that each pair belongs to."""
        first, size = self.table.first[node], self.table.first[node + 1] - self.table.first[node]
        row = np.repeat(np.arange(len(node)), size)
        ends = np.cumsum(size)
        return row, np.arange(len(row)) + np.repeat(first - ends + size, size)


@dataclass(frozen=True, eq=False)
class _Top:
    """The matches of some histories: whether each is one history alone, its context, the next shorter one, the weights."""

    alone: NDArray[np.bool_]
    history: Index
    node: Index
    above: Index
    weight: Probs


def smoothed(table: ContextTable, weights: Probs, followers: Followers) -> Smoothed:
    """Compute the probabilities of all pairs, from the root down.

    Args:
        table: The contexts.
        weights: `[BUCKETS, 3]`, the weights a, b, c of each kind of context.
        followers: The pairs of the same contexts.

    Returns:
        The table with its probabilities.
    """
    node = table.key // table.size
    nodes = np.arange(len(table.depth))
    length = table.depth.astype(np.int64)
    kind = buckets_of_length(table.kind.astype(np.int64), length, length - table.length_above(nodes))
    weight = weights[kind]
    if not len(node):
        weight[:] = (0.0, 0.0, 1.0)
    branches, events = table.shares(node, np.arange(len(node)))
    prob = weight[node, 0] * branches + weight[node, 1] * events
    level = followers.level[node]
    order = np.argsort(level, kind="stable")
    cuts = np.searchsorted(level[order], np.arange(int(level.max(initial=0)) + 2))
    for k in range(len(cuts) - 1):
        at = order[cuts[k] : cuts[k + 1]]
        below = prob[followers.up[at]] if k else 1 / table.size
        prob[at] += weight[node[at], 2] * below
    return Smoothed(table, weights, prob, weight[:, 2].copy())
