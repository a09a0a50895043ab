"""The learning curve of a fit as a block."""

from __future__ import annotations

from typing import Any

from pofx.report.html.blocks import Block

# The most points of training in a picture of 600 pixels; a curve keeps up to 2,000, which are 80 kB.
POINTS = 200


def curve_block(curve: Any) -> Block:
    """Return a block of the losses of a fit, bits per byte, by passes over the documents.

    Args:
        curve: The `LearningCurve`, whose module belongs to a family, so `report` must not import its type.
    """
    n = len(curve.passes)
    # Counted from the end, so that the last point of the fit is always drawn.
    kept = range(n - 1, -1, -max(1, -(-n // POINTS)))[::-1] if n else ()
    training = [[float(curve.passes[k]), float(curve.train_bits_per_byte[k])] for k in kept]
    validation = [
        [float(x), float(y)] for x, y in zip(curve.validation_passes, curve.validation_bits_per_byte)
    ]
    seconds = float(curve.seconds[-1]) if n else 0.0
    return Block("curve", {"curve": {"training": training, "validation": validation, "seconds": seconds}})
