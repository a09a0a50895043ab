"""A picture of the calibration of a classifier's posteriors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pofx.classification.evaluation import Evaluation
from pofx.plot.style import MARKERS, by_name, picture

NORMAL_95 = 1.959964


def reliability(
    evaluations: Evaluation | Mapping[str, Evaluation], *, ax: Any = None, dark: bool = False
) -> Any:
    """Draw accuracy against the mean posterior of the best class, a point a bin; calibrated posteriors lie on the diagonal.

    The area of a point grows with the texts of its bin. Its bar is a 95 % interval of the accuracy (Wilson 1927).

    Args:
        evaluations: An evaluation, or evaluations by the name of their classifier.
        ax: Axes to draw on; None makes a figure.
        dark: Whether the picture stands on a dark page.

    Returns:
        The Axes.

    Raises:
        BadValue: `evaluations` is no evaluation.
        MissingExtra: matplotlib is not installed.

    Right: `reliability(evaluate(log_posterior, truth))` on texts that no model was fitted on. Wrong: reading a point of
    three texts without its bar.
    """
    pairs = by_name(evaluations, Evaluation, "evaluations")
    made = picture(ax, dark, "posterior of the most probable class", "accuracy", (4.6, 4.4), grid="both")
    made.ax.plot([0, 1], [0, 1], color=made.theme.soft, linewidth=1, linestyle=":")
    for k, (name, found) in enumerate(pairs):
        x = [b.confidence for b in found.bins]
        y = [b.accuracy for b in found.bins]
        ends = [wilson(b.accuracy, b.n) for b in found.bins]
        made.ax.vlines(
            x, [low for low, _ in ends], [high for _, high in ends], color=made.colour(k), linewidth=1
        )
        made.ax.plot(x, y, color=made.colour(k), linewidth=1.2)
        made.ax.scatter(
            x,
            y,
            s=[18 + 180 * b.n / found.n for b in found.bins],
            color=made.colour(k),
            marker=MARKERS[k % len(MARKERS)],
            zorder=3,
            label=name,
        )
    made.ax.set_xlim(0, 1.03)
    made.ax.set_ylim(0, 1.03)
    made.ax.set_aspect("equal")
    made.legend([name for name, _ in pairs])
    return made.ax


def wilson(share: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of n independent cases (Wilson 1927).

    Args:
        share: The share.
        n: The number of cases, at least 1.
    """
    z2 = NORMAL_95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = NORMAL_95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)
