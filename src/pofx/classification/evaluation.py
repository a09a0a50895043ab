"""The quality of posteriors: accuracy, log-loss, calibration, and the confusion of classes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadValue
from pofx.interactive.shown import Shown

BINS = 10


@dataclass(frozen=True)
class CalibrationBin:
    """The texts whose most probable class has a posterior in (low, high].

    Attributes:
        low: The lower edge.
        high: The upper edge.
        n: The number of texts.
        confidence: The mean posterior of the most probable class.
        accuracy: The share whose most probable class is the true class.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Shown):
    """Posteriors compared with the true classes.

    Attributes:
        n: The number of texts.
        accuracy: The share whose most probable class is the true class.
        log_loss: The mean of −log P(true class | x), nats, not clipped: ∞ where a true class has probability 0.
        calibration_error: Σ n_b/n |accuracy_b − confidence_b| over the bins.
        bins: Texts by the posterior of their most probable class.
        confusion: Counts `[C, C]`, the true class by row, the most probable class by column.
    """

    n: int
    accuracy: float
    log_loss: float
    calibration_error: float
    bins: tuple[CalibrationBin, ...]
    confusion: NDArray[np.int64]

    @property
    def recall(self) -> NDArray[np.float64]:
        """The share of the texts of each class that are assigned to the class, `[C]`; nan for a class without texts."""
        return _share(np.diag(self.confusion), self.confusion.sum(axis=1))

    @property
    def precision(self) -> NDArray[np.float64]:
        """The share of the texts assigned to each class that belong to the class, `[C]`; nan for a class without texts."""
        return _share(np.diag(self.confusion), self.confusion.sum(axis=0))


def evaluate(log_posterior: NDArray[np.float64], truth: NDArray[np.int64]) -> Evaluation:
    """Compare posteriors with the true classes.

    Args:
        log_posterior: log P(t | x), `[n, C]`.
        truth: The place of each true class, `[n]`.

    Returns:
        The evaluation.

    Raises:
        BadValue: There is no text.

    Right: on texts that no model was fitted on. Wrong: on texts of the fit, which every model of strings has memorised.
    """
    n, n_classes = log_posterior.shape
    if not n:
        raise BadValue(
            "expected at least one text with a label, got none",
            "name a file with labels, or pass texts with labels",
            argument="evaluate",
        )
    best = np.argmax(log_posterior, axis=1)
    confidence = np.exp(log_posterior[np.arange(n), best])
    right = best == truth
    confusion = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(confusion, (truth, best), 1)
    # A posterior on an edge belongs to the bin below the edge, so 1 is in the last bin, also after rounding.
    places = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    bins = []
    for b in range(BINS):
        some = places == b
        if some.any():
            bins.append(
                CalibrationBin(
                    b / BINS,
                    (b + 1) / BINS,
                    int(some.sum()),
                    float(confidence[some].mean()),
                    float(right[some].mean()),
                )
            )
    error = math.fsum(b.n * abs(b.accuracy - b.confidence) for b in bins) / n
    loss = float(-log_posterior[np.arange(n), truth].mean())
    return Evaluation(n, float(right.mean()), max(0.0, loss), error, tuple(bins), confusion)


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    out = np.full(len(part), np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out
