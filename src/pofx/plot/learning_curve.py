"""A picture of the loss of a fit, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pofx.models.transformer.learning_curve import LearningCurve
from pofx.plot.style import MARKERS, by_name, picture


def learning_curve(
    curves: LearningCurve | Mapping[str, LearningCurve], *, ax: Any = None, dark: bool = False
) -> Any:
    """Draw the loss of a fit by passes over the documents, bits per byte: training as a line, validation as points.

    Args:
        curves: The curve of a transformer that `fit` returned (`lm.learning_curve`), or curves by name.
        ax: Axes to draw on; None makes a figure.
        dark: Whether the picture stands on a dark page.

    Returns:
        The Axes.

    Raises:
        BadValue: `curves` is no curve; a loaded model has no curve.
        MissingExtra: matplotlib is not installed.

    Right: `learning_curve(fit(texts, TransformerSpec(epochs=2)).learning_curve)`. Wrong: comparing curves of different
    documents, on which bits per byte depend.
    """
    pairs = by_name(curves, LearningCurve, "curves")
    made = picture(ax, dark, "passes over the documents", "bits per byte")
    for k, (name, curve) in enumerate(pairs):
        lead = f"{name}, " if name else ""
        made.ax.plot(
            curve.passes,
            curve.train_bits_per_byte,
            color=made.colour(k),
            linewidth=1.2,
            label=f"{lead}training",
        )
        if len(curve.validation_passes):
            made.ax.plot(
                curve.validation_passes,
                curve.validation_bits_per_byte,
                color=made.colour(k),
                linestyle="none",
                marker=MARKERS[k % len(MARKERS)],
                markersize=6,
                markerfacecolor=made.theme.paper,
                markeredgewidth=1.6,
                label=f"{lead}validation",
            )
    made.legend([f"{name}, validation" for name, _ in pairs])
    return made.ax
