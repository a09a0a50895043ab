"""The losses of a fit of a transformer, as `fit` recorded them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pofx.interactive.shown import Shown

# At this number of points every other point is dropped, since a picture shows no more points.
MOST = 2000

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class LearningCurve(Shown):
    """The losses of a fit, bits a byte; the curve of a resumed fit begins where the fit was resumed.

    Attributes:
        passes: How often the documents had been read at each point, `[n]`; 0.25 for a quarter of their tokens.
        seconds: The time of the fit at each point, `[n]`.
        train_bits_per_byte: The mean training loss of the last 20 steps at each point, `[n]`.
        validation_passes: How often the documents had been read at each measurement of the validation loss, `[m]`.
        validation_bits_per_byte: The validation loss, `[m]`. The fit keeps the weights of the lowest one.

    Right: `lm.learning_curve.validation_bits_per_byte[-1]` of an `lm` that `fit` returned. Wrong: `train_bits_per_byte[-1]`
    as the loss on new texts, since the model has read the training documents.
    """

    passes: Floats
    seconds: Floats
    train_bits_per_byte: Floats
    validation_passes: Floats
    validation_bits_per_byte: Floats


@dataclass
class CurveRecorder:
    """The points of a curve while a fit goes on; at most `MOST` of training, evenly spaced in steps."""

    train: list[tuple[float, float, float]] = field(default_factory=list)
    validation: list[tuple[float, float]] = field(default_factory=list)
    every: int = 1

    def stepped(self, step: int, passes: float, seconds: float, train: float) -> None:
        """Note the training loss after a step, bits a byte."""
        if step % self.every:
            return
        self.train.append((passes, seconds, train))
        if len(self.train) >= MOST:
            self.train, self.every = self.train[1::2], 2 * self.every

    def validated(self, passes: float, loss: float) -> None:
        """Note a validation loss, bits a byte."""
        self.validation.append((passes, loss))

    def finish(self) -> LearningCurve:
        """Return the curve."""
        train = np.array(self.train, dtype=np.float64).reshape(-1, 3)
        validation = np.array(self.validation, dtype=np.float64).reshape(-1, 2)
        return LearningCurve(train[:, 0], train[:, 1], train[:, 2], validation[:, 0], validation[:, 1])
