"""The places where a window rule cuts a long path, and the windows that are read together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.lm.window_rule import WindowRule


def rule(context: int, stride: int, lead: int) -> WindowRule:
    """Return the window rule in words, for `LM.window`; `lead` tokens stand at the front of each window."""
    front = ("no x0", "x0 at the front of each")[lead] if lead < 2 else "x0 and what is given before each"
    return WindowRule(
        f"windows of {context:,} tokens, {front}; the next begins {stride:,} later; "
        f"effective context {context + 1 - stride:,} to {context:,}"
    )


def cuts(n: int, skip: int, room: int, stride: int) -> list[tuple[int, int, int]]:
    """Return the windows of a path: window k holds the positions from k·stride up to k·stride + room.

    A window predicts the positions that are in no earlier window. A path without scored positions has one empty window.

    Args:
        n: The number of tokens of the path.
        skip: The number of first positions that are not scored.
        room: The number of positions in a window.
        stride: The number of tokens between the starts of two windows.

    Returns:
        For each window its start, its stop, and the first position that it predicts.
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
    """Group windows in the order in which they are read.

    The first group has every window that is a whole path, since prefixes that such paths share are read once. The other
    windows follow in groups of about `most` tokens.

    Args:
        sizes: The number of tokens of each window.
        ends: Path i has the windows from `ends[i − 1]` up to `ends[i]`.
        most: The most tokens of a group of several windows.
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


def concatenate_windows(windows: Sequence[NDArray[Any]], ends: Sequence[int]) -> tuple[NDArray[Any], ...]:
    """Return the arrays of windows as arrays of paths; path i has the windows from `ends[i − 1]` up to `ends[i]`."""
    out, lo = [], 0
    for hi in ends:
        out.append(windows[lo] if hi - lo == 1 else np.concatenate(windows[lo:hi]))
        lo = hi
    return tuple(out)
