"""The heat scale: eight shades for surprisals in nats, which terminal and page share.

Steps widen as surprisal grows, so 0.5 nats and 1 nat differ as visibly as 8 and 12. The colours are equal steps of
lightness and chroma in OKLCH, from the colour of the paper to a warm orange.
"""

from __future__ import annotations

import math
from bisect import bisect_right

EDGES = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0)
LABELS = ("< ½", "½–1", "1–2", "2–3", "3–5", "5–8", "8–12", "≥ 12")

LIGHT = ("#ffffff", "#fbf2e2", "#f9e2c4", "#f8d1a6", "#f8be8b", "#f8a971", "#f79359", "#f67b45")
LIGHT_INK = "#1c1917"
DARK = ("#131313", "#231b12", "#352210", "#48280c", "#5d2e09", "#723207", "#89350c", "#a03817")
DARK_INK = "#f5f0e8"
# A program cannot know whether its terminal is dark or light. So all shades have a middle lightness, only chroma
# rises, and the first two steps have no background.
TERMINAL = (None, None, "#d3c6a7", "#d8ba8a", "#e0ac6f", "#e89b55", "#f08740", "#f77132")
TERMINAL_INK = "#111111"


def shade(surprisal: float) -> int:
    """Return the shade of a surprisal, 0 … 7. ∞ and nan have the last shade, so that nobody overlooks them.

    Args:
        surprisal: −log p, nats.
    """
    return len(EDGES) if math.isnan(surprisal) else bisect_right(EDGES, surprisal)
