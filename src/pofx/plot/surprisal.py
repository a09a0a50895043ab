"""A picture of the surprisal of each word of a text, under one model or several models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pofx.errors import BadValue
from pofx.plot.style import by_name, picture
from pofx.queries.words.words import Worded
from pofx.report.heat import shade
from pofx.report.visible import visible

MOST = 200  # the most words, since the names of more words have no room
ROTATED = 8  # the most words whose names are horizontal


def surprisal(worded: Worded | Mapping[str, Worded], *, ax: Any = None, dark: bool = False) -> Any:
    """Draw −log2 p(word | words before) of each word, bits.

    Args:
        worded: A record of `words`; or records of the same text under several models, by name.
        ax: Axes to draw on; None makes a figure.
        dark: Whether the picture stands on a dark page.

    Returns:
        The Axes. With one model each bar has the shade that the word has in heat text.

    Raises:
        BadValue: The texts differ, or there are no words, or more than 200.
        MissingExtra: matplotlib is not installed.

    Right: `surprisal({"6-gram": words(a, [text])[0], "transformer": words(b, [text])[0]})`. Wrong: two texts side by side.
    """
    pairs = by_name(worded, Worded, "worded")
    spelled = [[visible(w.text.strip()) for w in r.words if w.index is not None] for _, r in pairs]
    if any(names != spelled[0] for names in spelled):
        raise BadValue(
            "expected one text under all models, got several texts", "pass one text", argument="worded"
        )
    n = len(spelled[0])
    if not 0 < n <= MOST:
        raise BadValue(
            f"expected a text of 1 to {MOST} words, got {n:,} words",
            "pass a part of the text",
            argument="worded",
        )
    made = picture(ax, dark, "", "surprisal, bits", (max(4.8, min(16.0, 0.55 * n + 1.5)), 3.4))
    width = 0.78 / len(pairs)
    for k, (name, record) in enumerate(pairs):
        some = [w for w in record.words if w.index is not None]
        places = [i + (k - (len(pairs) - 1) / 2) * width for i in range(n)]
        colours = (
            [made.theme.heat[shade(w.surprisal)] for w in some] if len(pairs) == 1 else [made.colour(k)] * n
        )
        made.ax.bar(
            places,
            [w.bits for w in some],
            width=width,
            color=colours,
            edgecolor=made.theme.soft if len(pairs) == 1 else made.theme.paper,
            linewidth=0.6,
            label=name,
        )
    made.ax.set_xticks(range(n), spelled[0], rotation=90 if n > ROTATED else 0)
    made.legend([name for name, _ in pairs])
    return made.ax
