"""What web/ says in TypeScript and CSS is what pofx says in Python: shades, digits and names of characters."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pofx.report import heat
from pofx.report.numerals import fixed_point, probability, significant_digits, typeset, with_commas
from pofx.report.sums import addends, steps
from pofx.report.visible import visible

ROOT = Path(__file__).parents[2]
CASES = json.loads((ROOT / "tests" / "report" / "web_twins.json").read_text())
SOURCES = ROOT / "web" / "src"


def css_colours(block: str) -> tuple[tuple[str, ...], str]:
    """The shades and the ink of a block of custom properties."""
    shades = tuple(re.findall(r"--h\d: (#[0-9a-f]{6});", block))
    ink = re.search(r"--h-ink: (#[0-9a-f]{6});", block)
    assert ink is not None
    return shades, ink[1]


def test_heat_css_has_the_colours_of_heat_py() -> None:
    light, dark = (SOURCES / "style" / "heat.css").read_text().split("@media (prefers-color-scheme: dark)")
    assert css_colours(light) == (heat.LIGHT, heat.LIGHT_INK)
    assert css_colours(dark.split("\n}")[0]) == (heat.DARK, heat.DARK_INK)


def test_scale_ts_has_the_edges_of_heat_py() -> None:
    source = (SOURCES / "text" / "scale.ts").read_text()
    edges = re.search(r"EDGES = \[(.*?)\]", source)
    labels = re.search(r"LABELS = \[(.*?)\]", source)
    assert edges is not None
    assert labels is not None
    assert tuple(float(e) for e in edges[1].split(",")) == heat.EDGES
    assert tuple(json.loads(f"[{labels[1]}]")) == heat.LABELS


def sums(given: str) -> str:
    """Terms beside their sum, then terms beside their running sums, and these."""
    terms = [float(x) for x in given.split()]
    shown, running = steps(terms, sum(terms))
    return typeset(" ".join([*addends(terms, sum(terms)), *shown, *running]))


@pytest.mark.parametrize("name", ["fixed", "significant", "probability", "count", "visible", "shade", "sums"])
def test_python_gives_the_cases_that_vitest_reads(name: str) -> None:
    functions = {
        "fixed": lambda x: typeset(fixed_point(float(x))),
        "significant": lambda x: typeset(significant_digits(float(x))),
        "probability": lambda x: typeset(probability(float(x))),
        "count": lambda x: with_commas(int(x)),
        "visible": visible,
        "shade": lambda x: heat.shade(float(x)),
        "sums": sums,
    }
    assert [[given, functions[name](given)] for given, _ in CASES[name]] == CASES[name]
    assert len(CASES[name]) > 5
