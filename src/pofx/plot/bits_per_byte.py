"""A picture of the bits per byte of the texts of a corpus."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pofx.errors import BadValue
from pofx.plot.style import picture
from pofx.queries.scoring.score import Scored


def bits_per_byte(
    scored: Sequence[Scored] | Mapping[str, Sequence[Scored]],
    *,
    bins: int = 30,
    ax: Any = None,
    dark: bool = False,
) -> Any:
    """Draw the distribution of bits per byte over texts, −log2 p(x) / bytes, a text counted once.

    Args:
        scored: The list that `score` returns, or several such lists by name, such as of two models.
        bins: The number of bins, which have equal width.
        ax: Axes to draw on; None makes a figure.
        dark: Whether the picture stands on a dark page.

    Returns:
        The Axes. Texts of probability 0 and texts of no bytes are not drawn; the legend has their number.

    Raises:
        BadValue: There is no text with a finite number.
        MissingExtra: matplotlib is not installed.

    Right: `bits_per_byte({"6-gram": score(a, texts), "transformer": score(b, texts)})`. Wrong: texts with a prefix beside
    texts without a prefix.
    """
    pairs = list(scored.items()) if isinstance(scored, Mapping) else [("", scored)]
    rates = {name: np.array([s.bits_per_byte for s in some]) for name, some in pairs}
    finite = {name: found[np.isfinite(found)] for name, found in rates.items()}
    if not any(len(found) for found in finite.values()):
        raise BadValue(
            "expected at least one text of positive probability, got none",
            "pass the list that score returns",
            argument="scored",
        )
    every = np.concatenate(list(finite.values()))
    edges = np.histogram_bin_edges(every, bins=bins)
    made = picture(ax, dark, "bits per byte", "texts")
    names = []
    for k, (name, found) in enumerate(finite.items()):
        missing = len(rates[name]) - len(found)
        names.append(f"{name}{f' ({missing:,} without)' if missing else ''}".strip())
        alone = len(finite) == 1
        made.ax.hist(
            found,
            bins=edges,
            histtype="bar" if alone else "step",
            color=made.theme.heat[5] if alone else made.colour(k),
            edgecolor=made.theme.paper if alone else made.colour(k),
            linewidth=0.6 if alone else 1.6,
            label=names[-1],
        )
        if len(found):
            made.ax.axvline(
                math.fsum(found) / len(found), color=made.colour(k), linewidth=1.2, linestyle="--"
            )
    made.legend(names)
    return made.ax
