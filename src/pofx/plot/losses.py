"""A picture of the losses of several models side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pofx.errors import BadValue
from pofx.plot.style import picture
from pofx.report.numerals import significant_digits


def losses(
    by_model: Mapping[str, float],
    *,
    unit: str = "bits per byte",
    mark_best: bool = True,
    ax: Any = None,
    dark: bool = False,
) -> Any:
    """Draw one bar for each model, as long as its loss on the same texts.

    Args:
        by_model: The loss of each model, by name; nan for a model without a loss, such as L(θ) without x0.
        unit: The unit of all losses.
        mark_best: Whether the lowest loss has a colour of its own.
        ax: Axes to draw on; None makes a figure.
        dark: Whether the picture stands on a dark page.

    Returns:
        The Axes, with the models from top to bottom.

    Raises:
        BadValue: There is no finite loss.
        MissingExtra: matplotlib is not installed.

    Right: `losses({"6-gram": 2.09, "transformer": 2.21, "both": 1.94})`. Wrong: losses on different texts.
    """
    finite = [x for x in by_model.values() if math.isfinite(x)] if isinstance(by_model, Mapping) else []
    if not finite:
        raise BadValue(
            "expected at least one model with a finite loss, got none",
            "pass {name: loss}",
            argument="by_model",
        )
    height = 0.9 + 0.42 * len(by_model)
    made = picture(ax, dark, unit, "", (6.4, height), grid="x")
    best = min(finite)
    for at, (name, loss) in enumerate(by_model.items()):
        known = math.isfinite(loss)
        colour = made.theme.heat[7] if mark_best and loss == best else made.theme.heat[3]
        made.ax.barh(
            at, loss if known else 0.0, height=0.62, color=colour, edgecolor=made.theme.soft, linewidth=0.6
        )
        shown = significant_digits(loss, 4) if known else "none"
        made.ax.annotate(
            shown,
            (loss if known else 0.0, at),
            (5, 0),
            textcoords="offset points",
            va="center",
            color=made.theme.ink,
        )
        del name
    made.ax.set_yticks(range(len(by_model)), list(by_model))
    made.ax.invert_yaxis()
    made.ax.margins(x=0.12)
    return made.ax
