"""Where a long path is cut into windows, and which windows are read together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.lm.window_rule import WindowRule


def rule(context: int, stride: int, lead: int) -> WindowRule:
    """The rule, for `LM.window`."""
    front = ("no x0", "x0 at the front of each")[lead] if lead < 2 else "x0 and what is given before each"
    return WindowRule(
        f"windows of {context:,} tokens, {front}; the next begins {stride:,} later; "
        f"effective context {context + 1 - stride:,} to {context:,}"
    )


def cuts(n: int, skip: int, room: int, stride: int) -> list[tuple[int, int, int]]:
    """Windows (start, stop, first position that counts) of a path of n tokens, those before `skip` not asked for.

    Window k holds the positions k·stride … k·stride + room, and predicts those that no earlier one holds. At
    least one, for a path of which nothing is asked an empty one.
    """
    if skip >= n:
        return [(0, 0, 0)]
    k = 0 if skip < room else 1 + (skip - room) // stride
    out = []
    while True:
        lo = k * stride
        hi = min(lo + room, n)
        out.append((lo, hi, max(skip, lo + room - stride if k else 0)))
        if hi == n:
            return out
        k += 1


def stretches(sizes: Sequence[int], ends: Sequence[int], most: int) -> list[list[int]]:
    """The windows, of so many tokens each, in the order in which they are read, some at a time.

    First those that are a whole path, all at once: what they have in common is read once. Then the others, about `most`
    tokens at a time. Path i has the windows from `ends[i − 1]` up to `ends[i]`.
    """
    alone: list[int] = []
    out: list[list[int]] = []
    size = most
    for lo, hi in zip((0, *ends), ends):
        if hi - lo == 1:
            alone.append(lo)
            continue
        for w in range(lo, hi):
            if size + sizes[w] > most:
                out.append([])
                size = 0
            out[-1].append(w)
            size += sizes[w]
    return [alone, *out] if alone else out


def joined(found: Sequence[NDArray[Any]], ends: Sequence[int]) -> tuple[NDArray[Any], ...]:
    """Arrays of windows as arrays of paths; path i has those up to `ends[i]`."""
    out, lo = [], 0
    for hi in ends:
        out.append(found[lo] if hi - lo == 1 else np.concatenate(found[lo:hi]))
        lo = hi
    return tuple(out)
