"""Smoothing of columns on disk: the sums of `pofx.models.ngram.smoothing`, in the same order, so to the same bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.models.ngram.external.columns import Array, Column, chunks
from pofx.models.ngram.external.levels import BEGIN, PADDING, LevelColumns
from pofx.models.ngram.smoothing import discounts_of, threshold_of


@dataclass(frozen=True, eq=False)
class SmoothedColumns:
    """The numbers of an estimate, as in `pofx.models.ngram.smoothing.Levels`, each column `[groups]` in a file.

    Attributes:
        prob: The probability of the last token of each n-gram, by the length of the n-gram.
        weight: The weight that each history gives to the next shorter history, by the length of the history.
        seen: Whether each n-gram was an event and is not pruned, by the length of the n-gram.
        chain: As in `Levels`.
    """

    prob: dict[int, Column]
    weight: dict[int, Column]
    seen: dict[int, Column]
    chain: bool


def smooth_columns(
    levels: dict[int, LevelColumns],
    vocab_size: int,
    smoothing: str,
    alpha: float,
    directory: Path,
    rows: int,
    prune: Sequence[int] = (),
) -> SmoothedColumns:
    """Estimate probabilities from the columns of counts, which are removed level by level.

    Args:
        levels: The levels 1 … order.
        vocab_size: The number of outcomes.
        smoothing: The name of the smoothing, as in `NgramSpec`.
        alpha: The α of additive smoothing.
        directory: Where the columns are made.
        rows: How many rows are in memory at a time.
        prune: The thresholds of an `NgramSpec`. With thresholds the columns of histories are kept.

    Returns:
        The columns of the estimate.

    Raises:
        OSError: The disk is full.
    """
    alpha = alpha if smoothing == "additive" else 0.0
    kneser_ney = smoothing == "kneser-ney"
    out = SmoothedColumns({}, {}, {}, chain=kneser_ney or alpha == 0)
    below = Column(directory / "prob.0", np.float64)
    below.append(np.array([1.0 / vocab_size]))
    for k, level in levels.items():
        step = _Level(level, k, len(below), directory, rows)
        if kneser_ney:
            out.weight[k - 1], out.prob[k] = step.kneser_ney(below, k == len(levels), threshold_of(prune, k))
        else:
            out.weight[k - 1], out.prob[k] = step.relative(below, vocab_size, alpha)
        out.seen[k] = step.seen
        level.remove(keep_history=any(prune))
        below = out.prob[k]
    return out


class _Level:
    """The smoothing of the n-grams of one length."""

    def __init__(self, level: LevelColumns, k: int, histories: int, directory: Path, rows: int) -> None:
        self.level, self.k, self.histories, self.directory, self.rows = level, k, histories, directory, rows
        self.seen = self._column("seen", np.bool_)

    def kneser_ney(self, below: Column, longest: bool, threshold: int) -> tuple[Column, Column]:
        """Estimate as `_kneser_ney` in `pofx.models.ngram.smoothing` does.

        Args:
            below: The probabilities of the n-grams of length k − 1.
            longest: Whether k is the order.
            threshold: How often an n-gram may be counted and still be left out.

        Returns:
            The weights of the histories of length k − 1, and the probabilities of the n-grams of length k.
        """
        adjusted = self._column("adjusted", np.int64)
        numbers = np.zeros(6, dtype=np.int64)
        for part in chunks(len(self.level), self.rows):
            kind, raw = self.level.kind.array()[part], self.level.raw.array()[part]
            count = raw
            if not longest:
                assert self.level.extensions is not None  # noqa: S101  (ours: only the longest have none)
                count = np.where(kind == BEGIN, raw, self.level.extensions.array()[part])
            count = np.where(self._seen(count, kind, raw > threshold), count, 0)
            adjusted.append(count)
            numbers += np.bincount(np.minimum(count, 5), minlength=6)
        cuts = np.array([0.0, *discounts_of(numbers)])
        total, kept = self._sums("total", adjusted), self._sums("kept", adjusted, cuts, threshold > 0)
        weight = self._column(f"weight.{self.k - 1}", np.float64, numbered=False)
        for part in chunks(self.histories, self.rows):
            whole = total.array()[part]
            with np.errstate(divide="ignore", invalid="ignore"):
                weight.append(np.where(whole > 0, kept.array()[part] / whole, 1.0))
        prob = self._column("prob", np.float64)
        for part in chunks(len(self.level), self.rows):
            count, history = adjusted.array()[part], self.level.history.array()[part]
            found = self.seen.array()[part]
            with np.errstate(divide="ignore", invalid="ignore"):
                share = (count - self._cut(count, cuts, found)) / total.array()[history]
            rest = weight.array()[history] * below.array()[self.level.parent.array()[part]]
            prob.append(np.where(found, share, 0.0) + rest)
            self._release(total, weight, below, adjusted)
        for column in (adjusted, total, kept):
            column.remove()
        return weight, prob

    def relative(self, below: Column, vocab_size: int, alpha: float) -> tuple[Column, Column]:
        """Estimate as `_relative` in `pofx.models.ngram.smoothing` does; returns what `kneser_ney` returns."""
        counts = self._column("adjusted", np.int64)
        for part in chunks(len(self.level), self.rows):
            count = self.level.raw.array()[part]
            counts.append(np.where(self._seen(count, self.level.kind.array()[part], True), count, 0))
        total = self._sums("total", counts)
        weight = self._column(f"weight.{self.k - 1}", np.float64, numbered=False)
        for part in chunks(self.histories, self.rows):
            whole = total.array()[part]
            with np.errstate(divide="ignore", invalid="ignore"):
                weight.append(np.where(whole > 0, alpha * vocab_size / (whole + alpha * vocab_size), 1.0))
        prob = self._column("prob", np.float64)
        for part in chunks(len(self.level), self.rows):
            history = self.level.history.array()[part]
            mass = total.array()[history] + alpha * vocab_size
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = (counts.array()[part] + alpha) / mass
            rest = weight.array()[history] / vocab_size
            prob.append(np.where(self.seen.array()[part], ratio, rest))
            self._release(total, weight, counts)
        for column in (counts, total):
            column.remove()
        return weight, prob

    def _seen(self, count: Array, kind: Array, often: Array | bool) -> NDArray[np.bool_]:
        """Return which n-grams were events, and write which of them are kept."""
        found: NDArray[np.bool_] = (count > 0) & (kind != PADDING)
        self.seen.append(found & often)
        return found

    def _cut(self, count: Array, cuts: NDArray[np.float64], found: Array) -> Array:
        """Return what is cut off the counts: the discount, or the whole count of an n-gram that is left out."""
        return np.where(found, cuts[np.minimum(count, 3)], count)

    def _sums(
        self, name: str, counts: Column, cuts: NDArray[np.float64] | None = None, pruned: bool = False
    ) -> Column:
        """Sum, for each history, the counts of its n-grams, or what is cut off the counts.

        The terms of a history are added one after the other in the order of the n-grams, as `np.bincount` adds them. So
        the sum has the same bits, however the column is cut.
        """
        out = self._column(name, np.float64)
        out.reserve(self.histories)
        for part in chunks(len(self.level), self.rows):
            count: Any = counts.array()[part]
            terms = count.astype(np.float64) if cuts is None else cuts[np.minimum(count, 3)]
            if pruned and cuts is not None:
                terms = self._cut(count, cuts, self.seen.array()[part])
            np.add.at(out.array(), self.level.history.array()[part], terms)
            self._release(out, counts)
        return out

    def _column(self, name: str, dtype: Any, numbered: bool = True) -> Column:
        return Column(self.directory / (f"{name}.{self.k}" if numbered else name), dtype)

    def _release(self, *columns: Column) -> None:
        for column in (*columns, self.level.history, self.level.parent, self.level.raw, self.seen):
            column.release()
