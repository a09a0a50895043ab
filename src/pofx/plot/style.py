"""The look of all pictures: the colours of the heat scale, thin rules, no frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pofx.errors import BadValue, require
from pofx.report import heat

T = TypeVar("T")


@dataclass(frozen=True)
class Theme:
    """The colours of a picture.

    Attributes:
        paper: The background.
        ink: Text and axes.
        soft: Lines and text of less importance, such as a diagonal.
        rule: Lines of the grid.
        heat: The eight shades of surprisal, from `report.heat`.
        series: One colour for each record of a picture, equal in lightness; the first is the orange of the pages.
    """

    paper: str
    ink: str
    soft: str
    rule: str
    heat: tuple[str, ...]
    series: tuple[str, ...]


# Paper, ink and rules are the colours of the pages (web/src/style/page.css). The series have a contrast of at least 4.5 to
# the paper, and differ for the common kinds of colour blindness; markers differ, too.
LIGHT = Theme(
    "#ffffff",
    heat.LIGHT_INK,
    "#635c54",
    "#e4ded6",
    heat.LIGHT,
    ("#a63c06", "#1f6391", "#5b6b12", "#7b3f98", "#635c54"),
)
DARK = Theme(
    "#131313",
    heat.DARK_INK,
    "#a8a097",
    "#35312c",
    heat.DARK,
    ("#f0955c", "#7db7e0", "#b5c566", "#cf9ee8", "#a8a097"),
)
# The number of characters of a legend in an inch, and the width of an entry's mark in characters.
LETTERS, HANDLE = 11, 6
MARKERS = ("o", "s", "^", "D", "v")


@dataclass(frozen=True)
class Picture:
    """Axes to draw on, and their colours.

    Attributes:
        ax: The Axes of matplotlib.
        theme: The colours.
    """

    ax: Any
    theme: Theme

    def colour(self, k: int) -> str:
        """Return the colour of record k."""
        return self.theme.series[k % len(self.theme.series)]

    def legend(self, names: Sequence[str]) -> None:
        """Show the names, unless there is only one record without a name."""
        if any(names):
            room = LETTERS * self.ax.figure.get_figwidth() * self.ax.get_position().width
            columns = max(1, int(room / (max(map(len, names)) + HANDLE)))
            self.ax.legend(
                frameon=False,
                labelcolor=self.theme.ink,
                loc="lower left",
                bbox_to_anchor=(0.0, 1.0),  # above the picture, where it hides no bar
                ncols=columns,
                borderaxespad=0.2,
                handlelength=1.4,
            )


def picture(
    ax: Any, dark: bool, xlabel: str, ylabel: str, size: tuple[float, float] = (6.4, 3.6), grid: str = "y"
) -> Picture:
    """Return styled Axes.

    Args:
        ax: Axes to draw on; None makes a figure.
        dark: Whether the picture stands on a dark page.
        xlabel: The label of the x axis, with its unit.
        ylabel: The label of the y axis, with its unit.
        size: The size of a new figure, inches.
        grid: The axis whose grid lines are shown: "x", "y" or "both".

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    pyplot = require("matplotlib.pyplot", "plot", "a picture")
    theme = DARK if dark else LIGHT
    if ax is None:
        figure, ax = pyplot.subplots(figsize=size, layout="constrained")
        figure.set_facecolor(theme.paper)
    ax.set_facecolor(theme.paper)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.soft)
    ax.tick_params(colors=theme.ink, which="both")
    ax.grid(axis=grid, color=theme.rule, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.set_xlabel(xlabel, color=theme.ink)
    ax.set_ylabel(ylabel, color=theme.ink)
    return Picture(ax, theme)


def by_name(records: T | Mapping[str, T], kind: type[T], what: str) -> list[tuple[str, T]]:
    """Return the records of a picture with their names; one record alone has the name "".

    Args:
        records: A record, or a mapping of names to records.
        kind: The type of a record.
        what: The argument, for the message of a refusal.

    Raises:
        BadValue: There is no record, or a value that is no record.
    """
    pairs = list(records.items()) if isinstance(records, Mapping) else [("", records)]
    if not pairs or not all(isinstance(r, kind) for _, r in pairs):
        got = ", ".join(sorted({type(r).__name__ for _, r in pairs})) or "an empty mapping"
        raise BadValue(
            f"expected a record {kind.__name__}, or a mapping of names to such records, got {got}",
            "pass one record, or {name: record}",
            argument=what,
        )
    return pairs
