"""Numbers as a report writes them."""

from __future__ import annotations

import math

import pytest
from report_samples import INF, NAN

from pofx.report.numerals import fixed_point, probability, significant_digits, trim_zeros
from pofx.report.visible import visible


@pytest.mark.parametrize(
    ("x", "shown"),
    [(0.0123, "0.0123"), (41.23, "41.2"), (9.996, "10.0"), (999.6, "1,000"), (1.2345e-7, "1.23e-7"), (0.0, "0"),
     (-2.5, "-2.50"), (NAN, "nan"), (INF, "∞"), (-INF, "-∞"), (None, ""), (1e-4, "0.000100"), (1e12, "1.00e12")],
)  # fmt: skip
def test_three_significant_digits(x: float | None, shown: str) -> None:
    assert significant_digits(x) == shown


def test_numbers() -> None:
    assert fixed_point(-0.0001) == "0.000"
    assert fixed_point(-1.5) == "-1.500"
    assert probability(-INF) == "0"
    assert probability(0.0) == "1.00"
    assert probability(-1000 * math.log(10) + math.log(2.5)) == "2.50e-1000"
    assert trim_zeros(0.001) == "0.001"
    assert trim_zeros(1000.0) == "1,000"
    assert visible("a\x1b\u202e\n b") == "a\\x1b\\u202e⏎ b"
