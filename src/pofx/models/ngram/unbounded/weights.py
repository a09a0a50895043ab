"""The weights of the two estimates of a context and of the next shorter context, by the kind of context."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pofx.algorithms.suffix_array import Index
from pofx.models.ngram.smoothing import Probs
from pofx.models.ngram.unbounded.buckets import BEYOND, BUCKETS
from pofx.models.ngram.unbounded.contexts import Contexts
from pofx.models.ngram.unbounded.followers import Followers
from pofx.models.ngram.unbounded.left_out import Stage, left_out_paths
from pofx.models.ngram.unbounded.table import LEAST, ContextTable

# Of 1.6 M events, 100,000 gave weights in 3 s of CPU, and 400,000 weights in 12 s that were better by 0.005 bits per byte.
EVENTS = 100_000
# The bound on the steps of all paths, which are 12 an event in English over bytes, and up to 257 in a run of one token.
STEPS = 4_000_000
ROUNDS = 24
# The prior of a kind counts as so many events, and has the weights of all kinds that differ in `beyond` alone.
PRIOR = 10.0


def estimate_weights(contexts: Contexts, followers: Followers, table: ContextTable, size: int) -> Probs:
    """Estimate the weights that maximise the log-probability of events, each left out of the counts, by EM.

        p(w | h) = a · branches(w | h) + b · events(w | h) + c · p(w | h'),   a + b + c = 1

    h' is the parent of h, and 1/V stands below the empty context. First all kinds that differ in `beyond` alone share their
    weights, with half an event for each weight as prior, so that no weight is 0. These weights are then the prior of each
    kind.

    Args:
        contexts: The histories.
        followers: The pairs of contexts and tokens.
        table: The table of the same pairs.
        size: The number of outcomes of the vocabulary.

    Returns:
        `[BUCKETS, 3]`, the weights a, b, c of each kind, which sum to 1.
    """
    stages: list[Stage] = []
    n = len(contexts.token)
    if n > 1:
        mean = 1 + float(followers.level[contexts.tree.leaf_parent].mean())
        chosen = max(1, int(min(n, EVENTS, STEPS / mean)))
        sample = np.sort(np.random.default_rng(0).choice(n, chosen, replace=False))
        stages = list(left_out_paths(contexts, followers, table, sample))
    wide = [s.bucket // BEYOND for s in stages]
    flat = np.full((BUCKETS // BEYOND, 3), 1 / 3)
    coarse = _fitted(stages, wide, flat, np.full_like(flat, 0.5), ROUNDS, size)
    fine = np.repeat(coarse, BEYOND, axis=0)
    return _fitted(stages, [s.bucket for s in stages], fine, PRIOR * fine, ROUNDS // 2, size)


def _fitted(
    stages: Sequence[Stage], kinds: Sequence[Index], weights: Probs, prior: Probs, rounds: int, size: int
) -> Probs:
    """Return the weights, `[kinds, 3]`, after `rounds` rounds of EM.

    Args:
        stages: The steps of the paths of the sample.
        kinds: For each step, the kind of the context of each event.
        weights: The weights at the start, `[kinds, 3]`.
        prior: The events that are added for each weight, `[kinds, 3]`.
        rounds: How many rounds are computed.
        size: The number of outcomes of the vocabulary.
    """
    for _ in range(rounds):
        shares = prior + _responsibilities(stages, kinds, weights, size)
        weights = shares / shares.sum(axis=1, keepdims=True)
    return weights


def _responsibilities(stages: Sequence[Stage], kinds: Sequence[Index], weights: Probs, size: int) -> Probs:
    """Return for each kind how many events each of its three weights has given, in expectation, `[kinds, 3]`."""
    out = np.zeros_like(weights)
    events = max((int(s.event.max()) for s in stages), default=-1) + 1
    p = np.full(events, 1 / size)
    below: list[Probs] = []
    for stage, kind in zip(reversed(stages), reversed(kinds)):
        w, shorter = weights[kind], p[stage.event]
        below.append(shorter)
        found = w[:, 0] * stage.branches + w[:, 1] * stage.events + w[:, 2] * shorter
        p[stage.event] = np.maximum(found, LEAST)
    reached = np.ones(events)
    for stage, kind, shorter in zip(stages, kinds, reversed(below)):
        w = weights[kind]
        each = reached[stage.event] / p[stage.event]
        parts = (w[:, 0] * stage.branches, w[:, 1] * stage.events, w[:, 2] * shorter)
        for i, part in enumerate(parts):
            out[:, i] += np.bincount(kind, each * part, len(out))
        reached[stage.event] = each * parts[2]
        p[stage.event] = shorter
    return out
