"""The window rule: which tokens a model of bounded context reads to predict each position, stated once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.lm.trace import Ints
from pofx.lm.window_rule import WindowRule


def default_overlap(context: int) -> int:
    """How many tokens a new window re-reads: an eighth of the context.

    Re-read tokens earn no loss in training, and lengthen the shortest context in use. At 64 tokens and 250
    steps of 768, Shakespeare's characters: 1.854 nats with an eighth, 1.870 with a quarter; at 128 tokens and 1,200 steps
    1.565 and 1.580.
    """
    return max(1, context // 8)


def window_rule(context: int, overlap: int) -> WindowRule:
    """The rule, for `LM.window`."""
    return WindowRule(
        f"windows of {context} tokens; a full window is followed by one that re-reads its last {overlap}; "
        "x0 stands in the first only"
    )


def cut_windows(n: int, context: int, overlap: int) -> Ints:
    """Cut n inputs into windows `[k, 3]`: start, stop, and the first input whose target counts here.

    Window j holds inputs `j·s … j·s + context`, s = context − overlap; its first `overlap` inputs (none of
    them in window 0) are re-read: their targets were predicted before. So every target is counted once, and
    its window depends on its position only, whatever follows: the product over positions is a distribution.
    """
    if n <= 0:
        return np.zeros((0, 3), dtype=np.int64)
    stride = context - overlap
    count = 1 + max(0, -(-(n - context) // stride))
    start = np.arange(count, dtype=np.int64) * stride
    stop = np.minimum(start + context, n)
    fresh = start + overlap
    fresh[0] = 0
    return np.stack([start, stop, fresh], axis=1)


def context_lengths(n: int, context: int, overlap: int) -> Ints:
    """How many inputs of its window stand up to each of n inputs, itself included: what its target is given, `[n]`."""
    out = np.zeros(n, dtype=np.int64)
    for start, stop, fresh in cut_windows(n, context, overlap).tolist():
        out[fresh:stop] = np.arange(fresh, stop) - start + 1
    return out


@dataclass(frozen=True, eq=False)
class Batch:
    """Pieces packed end to end, without padding: N input tokens, M ≤ N targets that count.

    inputs: `[N]` ids. lengths: of the pieces, they sum to N. asked: `[M]`, which inputs have a target that
    counts, ascending. targets: `[M]` ids.
    """

    inputs: Ints
    lengths: tuple[int, ...]
    asked: Ints
    targets: Ints


class Pieces:
    """Windows of many token sequences, ready to be packed.

    The sequence of a text is `x0 x1 … xT` (EOS among the x where it counts), or `x1 … xT` without an x0: its
    inputs are all but the last, its targets all but the first. Skipped targets are read, not counted, and a
    window in which none counts is left out.
    """

    def __init__(
        self,
        sequences: Sequence[NDArray[np.int64]],
        context: int,
        overlap: int,
        first: Sequence[int] | None = None,
    ) -> None:
        sizes = np.array([len(s) for s in sequences], dtype=np.int64)
        self.stream: Ints = (
            np.concatenate([np.asarray(s, dtype=np.int64) for s in sequences])
            if len(sequences)
            else np.zeros(0, dtype=np.int64)
        )
        base = np.cumsum(sizes) - sizes
        cut: list[Ints] = []
        owner: list[Ints] = []
        for i, n in enumerate(sizes.tolist()):
            w = cut_windows(n - 1, context, overlap)
            if first is not None and len(w):
                w[:, 2] = np.maximum(w[:, 2], first[i])
            w = w[w[:, 2] < w[:, 1]]
            cut.append(w + base[i])
            owner.append(np.full(len(w), i, dtype=np.int64))
        table = np.concatenate(cut) if cut else np.zeros((0, 3), dtype=np.int64)
        self.start, self.stop, self.fresh = table[:, 0], table[:, 1], table[:, 2]
        self.owner = np.concatenate(owner) if owner else np.zeros(0, dtype=np.int64)
        self.base = base

    def __len__(self) -> int:
        return len(self.start)

    @property
    def lengths(self) -> Ints:
        """Inputs of each piece."""
        return self.stop - self.start

    @property
    def targets(self) -> int:
        """How many targets count, over all pieces."""
        return int((self.stop - self.fresh).sum())

    def pack(self, which: Ints) -> Batch:
        """The pieces `which`, end to end."""
        lengths = self.lengths[which]
        at = spread_ranges(self.start[which], lengths)  # [N] into the stream
        asked = np.flatnonzero(at >= np.repeat(self.fresh[which], lengths))
        return Batch(self.stream[at], tuple(lengths.tolist()), asked, self.stream[at[asked] + 1])

    def groups(self, order: Ints, tokens: int) -> list[Ints]:
        """`order` cut into runs of about `tokens` inputs, every run at least one piece."""
        ends = np.cumsum(self.lengths[order])
        if not len(ends):
            return []
        bins = (ends - 1) // tokens
        return np.split(order, np.flatnonzero(np.diff(bins)) + 1)


def spread_ranges(start: Ints, lengths: Ints) -> Ints:
    """`start[0], start[0]+1, …` for `lengths[0]` numbers, then the same from start[1], …"""
    offset = np.cumsum(lengths) - lengths
    return np.repeat(start - offset, lengths) + np.arange(int(lengths.sum()), dtype=np.int64)
