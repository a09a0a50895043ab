"""A small filter of two languages."""

from __future__ import annotations

from pathlib import Path

import pofx
from pofx.filtering.fitting import fit_filter
from pofx.filtering.quality import QualityFilter

DOCS = Path(__file__).parents[2] / "docs"


def proverbs() -> dict[str, list[str]]:
    """English and French proverbs."""
    return {
        name: list(pofx.documents(DOCS / file))
        for name, file in (("en", "proverbs.txt"), ("fr", "proverbes.txt"))
    }


def toy_filter() -> QualityFilter:
    """A filter of both."""
    both = proverbs()
    return fit_filter([*both["en"], *both["fr"]], both, spec=pofx.NgramSpec(order=4), quantiles=(0.05, 0.9))
