"""The window rule of the transformer, and token sequences cut into windows and packed into batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.byte_ranges import spread_ranges
from pofx.lm.trace import Ints
from pofx.lm.window_rule import WindowRule


def default_overlap(context: int) -> int:
    """Return the number of tokens that a new window re-reads by default: an eighth of the context.

    Re-read tokens add no loss in training, but lengthen the shortest context. On the characters of Shakespeare an
    eighth gave 1.854 nats and a quarter 1.870 (64 tokens, 250 steps of 768); 1.565 and 1.580 (128 tokens, 1,200 steps).
    """
    return max(1, context // 8)


def window_rule(context: int, overlap: int) -> WindowRule:
    """Return the window rule, for `LM.window`."""
    return WindowRule(
        f"windows of {context} tokens; a full window is followed by one that re-reads its last {overlap}; "
        "x0 stands in the first only"
    )


def cut_windows(n: int, context: int, overlap: int) -> Ints:
    """Cut n inputs into windows `[k, 3]`: start, stop, and the first input whose target counts in the window.

    Window j has the inputs from j·s up to j·s + context, where s = context − overlap. Each window but the first re-reads
    `overlap` inputs, whose targets an earlier window predicted. So every target counts once. Its window depends on its
    position only, so the product over positions is a distribution.
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
    """Return the context length of the target of each of n inputs, `[n]`: the inputs of its window up to its own input."""
    out = np.zeros(n, dtype=np.int64)
    for start, stop, fresh in cut_windows(n, context, overlap).tolist():
        out[fresh:stop] = np.arange(fresh, stop) - start + 1
    return out


@dataclass(frozen=True, eq=False)
class Batch:
    """Pieces packed end to end without padding: N inputs, and M ≤ N targets that count.

    Attributes:
        inputs: `[N]`, the ids.
        lengths: The lengths of the pieces, which sum to N.
        asked: `[M]`, the inputs that have a target that counts, in rising order.
        targets: `[M]`, the ids of these targets.
    """

    inputs: Ints
    lengths: tuple[int, ...]
    asked: Ints
    targets: Ints


class Pieces:
    """The windows of many token sequences, which can be packed into batches.

    The sequence of a text is x0, its tokens, and EOS where EOS counts; without x0 it begins with the first token. All but
    the last id of a sequence are inputs, and all but the first are targets. A skipped target is read and does not count. A
    window without a target that counts is left out.

    Args:
        sequences: The ids of each sequence.
        context: The longest window.
        overlap: How many inputs a window re-reads.
        first: The first input of each sequence whose target counts; 0 by default.
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
        """The number of inputs of each piece."""
        return self.stop - self.start

    @property
    def targets(self) -> int:
        """The number of targets that count, over all pieces."""
        return int((self.stop - self.fresh).sum())

    def targets_of(self, which: Ints) -> int:
        """The number of targets that count, over the pieces `which`."""
        return int((self.stop[which] - self.fresh[which]).sum())

    def pack(self, which: Ints) -> Batch:
        """Pack the pieces `which` end to end."""
        lengths = self.lengths[which]
        at = spread_ranges(self.start[which], lengths)  # [N] into the stream
        asked = np.flatnonzero(at >= np.repeat(self.fresh[which], lengths))
        return Batch(self.stream[at], tuple(lengths.tolist()), asked, self.stream[at[asked] + 1])

    def groups(self, order: Ints, tokens: int) -> list[Ints]:
        """Cut `order` into runs of pieces with about `tokens` inputs, at least one piece a run."""
        ends = np.cumsum(self.lengths[order])
        if not len(ends):
            return []
        bins = (ends - 1) // tokens
        return np.split(order, np.flatnonzero(np.diff(bins)) + 1)
