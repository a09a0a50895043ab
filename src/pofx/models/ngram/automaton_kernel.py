"""The loops of the back-off automaton, compiled by numba."""

# mypy: ignore-errors
# numba infers the types here. A signed and an unsigned integer of 64 bits would make a float, so unsigned integers are
# marked as such.

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)

_K = np.uint64(
    0x9E3779B97F4A7C15
)  # 2^64 divided by the golden ratio: multiplicative hashing (Knuth, vol. 3, §6.4)
_32 = np.uint64(32)
_1, _2 = np.uint64(1), np.uint64(2)


def _compiled(function: Callable[..., Any]) -> Any:
    """Return the function, to be compiled at its first call; the result is stored beside the source if possible."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:
        return numba.njit(nogil=True)(function)


@_compiled
def put(words, numbers, keys, next_states, logp, state_bits):
    """Put n-grams into the slots by linear probing; there must be more slots than n-grams."""
    size = np.uint64(len(words) // 2)
    for i in range(len(keys)):
        at = (((keys[i] * _K) >> _32) * size) >> _32
        while words[_2 * at] != EMPTY:
            at += _1
            if at == size:
                at -= size
        words[_2 * at] = (keys[i] << state_bits) | next_states[i]
        numbers[_2 * at + _1] = logp[i]


@_compiled
def read(
    ids,
    fresh,
    first,
    memory,
    most,
    words,
    numbers,
    state_bits,
    token_bits,
    root_logp,
    root_next,
    weights,
    suffixes,
    start,
    out,
):
    """Write log p of the tokens from `first` on into `out`.

    The tokens are cut into lanes, which take turns, so that the memory works on a look-up of every lane at a time. A lane
    begins `memory` tokens early, at the empty history: then its state is right when its own tokens begin, since a state
    has at most `memory` tokens.

    Args:
        ids: `[n]`, tokens of paths that lie end to end.
        fresh: `[n]`, whether a path begins at each token.
        first: The first token whose log p is asked for; the tokens before it are its history.
        memory: How many tokens a state has at most.
        most: How many lanes take turns.
        words: `[2 · slots]`, the slots as integers; the first number of a slot is (state, token, next state).
        numbers: `[2 · slots]`, the slots as floats; the second number of a slot is log p.
        state_bits: The bits of a state.
        token_bits: The bits of a token.
        root_logp: `[V]`, log p of each token after the empty history.
        root_next: `[V]`, the state after each token, by its 1-gram.
        weights: `[S]`, the logarithm of the back-off weight of each state.
        suffixes: `[S]`, the state of each state's next shorter history.
        start: The state after x0.
        out: `[n − first]`, the result.
    """
    size = np.uint64(len(words) // 2)
    low = (_1 << state_bits) - _1
    each = (len(ids) - first + most - 1) // most
    begins, stops, places = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    states, keys, slots = np.empty(most, np.uint64), np.empty(most, np.uint64), np.empty(most, np.uint64)
    found = np.empty(most, np.uint64)
    left, n_left = np.empty((most, 32), np.float64), np.zeros(most, np.int64)
    lanes = 0
    for lane in range(most):
        begin = first + lane * each
        if begin < len(ids):
            begins[lane], stops[lane] = begin, min(begin + each, len(ids))
            places[lane] = max(begin - memory, 0)
            states[lane] = start if fresh[places[lane]] else np.uint64(0)
            lanes += 1
    while lanes > 0:
        # These loads do not wait for each other.
        for lane in range(lanes):
            key = (states[lane] << token_bits) | np.uint64(ids[places[lane]])
            at = (((key * _K) >> _32) * size) >> _32
            keys[lane], slots[lane], found[lane] = key, at, words[_2 * at]
        for lane in range(lanes - 1, -1, -1):
            state, here = states[lane], places[lane]
            if state == 0:
                logp = root_logp[ids[here]]
                state = np.uint64(root_next[ids[here]])
            else:
                key, at, word = keys[lane], slots[lane], found[lane]
                while word != EMPTY and (word >> state_bits) != key:
                    at += _1
                    if at == size:
                        at -= size
                    word = words[_2 * at]
                if word == EMPTY:
                    left[lane, n_left[lane]] = weights[state]
                    n_left[lane] += 1
                    states[lane] = np.uint64(suffixes[state])
                    continue
                logp = numbers[_2 * at + _1]
                state = word & low
            # The weights of the shortest histories come first, as in `Backoff.log_prob`, so the sums have the same bits.
            for k in range(n_left[lane] - 1, -1, -1):
                logp += left[lane, k]
            n_left[lane] = 0
            if here >= begins[lane]:
                out[here - first] = logp
            here += 1
            if here < stops[lane]:
                places[lane] = here
                states[lane] = start if fresh[here] else state
                continue
            lanes -= 1  # the last lane takes the place of a lane that has ended
            begins[lane], stops[lane], places[lane] = begins[lanes], stops[lanes], places[lanes]
            states[lane], n_left[lane] = states[lanes], n_left[lanes]
            for k in range(n_left[lane]):
                left[lane, k] = left[lanes, k]
