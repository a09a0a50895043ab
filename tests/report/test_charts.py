"""Charts hold finite coordinates only, whatever their numbers are."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from page_reader import KNOWN_TAGS, Reader
from report_samples import INF, NAN

from pofx.queries.findings import Series
from pofx.report.html import charts


@pytest.mark.parametrize("kind", ["bars", "line"])
@pytest.mark.parametrize(
    "values",
    [
        (),
        (1.0,),
        (NAN,),
        (INF, -INF),
        (1.0, NAN, 2.0, INF, 3.0),
        (0.0, 0.0),
        (-1.0, 2.0),
        (-3.0,),
        (1e300, -1e300),
    ],
)
def test_charts_of_any_numbers(kind: str, values: tuple[float, ...]) -> None:
    for names in ([str(k) for k in range(len(values))], [f'<n{k}>&"' for k in range(len(values))]):
        drawn = charts.chart(Series("t<", "u&", kind, tuple(zip(names, values))))  # type: ignore[arg-type]
        read = Reader(drawn)
        assert read.tags <= KNOWN_TAGS
        for name, value in read.values:
            if name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height"):
                assert math.isfinite(float(value))
            if name == "width":
                assert float(value) >= 0
            if name == "points":
                assert all(math.isfinite(float(v)) for v in re.split("[ ,]", value))
    if any(math.isinf(v) for v in values):
        assert "∞" in drawn


def test_surprisal_bars_are_bounded() -> None:
    few = charts.surprisals(np.array([-1.0, -np.inf, -0.5]), np.array([1.0, NAN, 0.2]), True)
    assert few.count("<rect") == 3
    assert "1 of them ∞" in few
    many = charts.surprisals(np.full(100_000, -1.0), None, False)
    assert many.count("<rect") <= charts.BARS
    assert "mean of every 417 tokens" in many
    assert charts.surprisals(np.array([]), None, False) == ""
