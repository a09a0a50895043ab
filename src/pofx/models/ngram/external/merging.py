"""The merge of sorted runs into one, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.prefix_table import Index, PackedStrings, count_distinct
from pofx.models.ngram.external.runs import Run

# How many runs are merged at once. With more runs the pieces that are read of each become small.
FAN_IN = 32
# How many copies of its rows a step of the merge makes: the pieces, their concatenation, the order, the sorted rows.
_COPIES = 8
_LEAST_PIECE = 64


def merge_runs(runs: Sequence[Run], stem: str, words: int, memory: int) -> Run:
    """Merge runs into one run, which has each string once, and remove the files of the merged runs.

    Args:
        runs: The runs.
        stem: The path of the merged run, without an ending.
        words: How many words a string has.
        memory: About how many bytes the merge may take.

    Returns:
        The merged run. A single run is returned as it is, at its own path.

    Raises:
        OSError: The disk is full.
    """
    left, step = list(runs), 0
    if len(left) == 1:
        return left[0]
    while len(left) > FAN_IN:
        left.sort(key=lambda run: run.rows, reverse=True)
        some = [left.pop() for _ in range(FAN_IN)]  # the smallest, so that few rows are read more than once
        left.append(_merge(some, f"{stem}-{step}", words, memory))
        step += 1
    return _merge(left, stem, words, memory)


def _merge(runs: Sequence[Run], stem: str, words: int, memory: int) -> Run:
    out = Run(stem, 0, words).appended(*Run(stem, 0, words).read(0, 0))  # files, even if no string follows
    for part in merged(runs, max(_LEAST_PIECE, memory // (8 * (words + 1) * _COPIES * max(1, len(runs))))):
        out = out.appended(*part)
    for run in runs:
        run.remove()
    return out


def merged(runs: Sequence[Run], piece: int) -> Iterator[tuple[PackedStrings, Index]]:
    """Yield the distinct strings of runs in rising order, and the sum of the events of each, some at a time.

    Args:
        runs: The runs.
        piece: How many rows of each run are in memory.

    Yields:
        The next distinct strings, `[m, words]`, and the sums of their events, `[m]`.
    """
    at = [0] * len(runs)
    held: list[tuple[PackedStrings, Index]] = [run.read(0, 0) for run in runs]
    while True:
        for i, run in enumerate(runs):
            if not len(held[i][0]) and at[i] < run.rows:
                held[i] = run.read(at[i], piece)
                at[i] += len(held[i][0])
        # Strings up to the lowest end of the pieces are complete: every string still on disk comes after them.
        ends = [tuple(words[-1]) for (words, _), run, a in zip(held, runs, at) if a < run.rows]
        takes = [len(words) if not ends else _up_to(words, min(ends)) for words, _ in held]
        parts = [(words[:n], events[:n]) for (words, events), n in zip(held, takes) if n]
        if not parts:
            return
        held = [(words[n:], events[n:]) for (words, events), n in zip(held, takes)]
        yield count_distinct(np.concatenate([w for w, _ in parts]), np.concatenate([e for _, e in parts]))


def _up_to(words: PackedStrings, bound: tuple[np.uint64, ...]) -> int:
    """Return how many strings, which are in rising order, are at most `bound`."""
    lo, hi = 0, len(words)
    for w, value in enumerate(bound):
        column: NDArray[np.uint64] = words[lo:hi, w]
        last = w == len(bound) - 1
        start = lo + int(np.searchsorted(column, value, side="right" if last else "left"))
        hi = start if last else lo + int(np.searchsorted(column, value, side="right"))
        lo = start
    return lo
