"""The types of options that take a number, which is checked as in Python."""

from __future__ import annotations

from typing import Any

import click

from pofx.values import MOST, why_not_real, why_not_whole


class Whole(click.IntRange):
    """A whole number from `least` to `most`."""

    def __init__(self, least: int = 0, most: int | None = None) -> None:
        super().__init__(least, most)
        self.least, self.most = least, MOST if most is None else most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the text as a number; a usage error says which number was expected."""
        number = _number(int, value)
        if why := why_not_whole(number, self.least, self.most):
            self.fail(why, param, ctx)
        return int(number)


class Real(click.FloatRange):
    """A finite number from `low` to `high`; `above` and `below` exclude the ends."""

    def __init__(
        self, low: float = 0, high: float | None = None, *, above: bool = False, below: bool = False
    ) -> None:
        super().__init__(low, high, min_open=above, max_open=below)
        self.low, self.high = low, float("inf") if high is None else high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the text as a number; a usage error says which number was expected."""
        number = _number(float, value)
        if why := why_not_real(number, self.low, self.high, above=self.min_open, below=self.max_open):
            self.fail(why, param, ctx)
        return float(number)


class WholeOrNone(Whole):
    """A whole number from `least` to `most`, or the word none, which means that there is no bound."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:  # type: ignore[override]
        """Return the text as a number, and none as None."""
        if value == "none":
            return None
        number = _number(int, value)
        if why := why_not_whole(number, self.least, self.most):
            self.fail(why.replace(", got", ", or none, got"), param, ctx)
        return int(number)


def _number(kind: type[int] | type[float], value: Any) -> Any:
    """Return the text as a number, or the text itself where it is no number."""
    try:
        return kind(value) if isinstance(value, str) else value
    except ValueError:
        return value
