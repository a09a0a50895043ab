"""Sums over texts with a score: those of a unit, and those of all units, added in the order of the units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Sums over the rows of one or more units.

    Attributes:
        rows: The rows of the input.
        scored: How many rows have a score.
        tokens: The tokens of the texts that have a score, EOS counted.
        bytes: The bytes of these texts.
        nats: The sum of log p over these texts, rounded once; nats.
        fitted: How many of these texts the model was fitted on.
        chosen: How many of these texts were held out to choose the model's weights.
    """

    rows: int
    scored: int
    tokens: int
    bytes: int
    nats: float
    fitted: int
    chosen: int

    @property
    def record(self) -> dict[str, Any]:
        """The value as JSON: what the sums are of, and then the sums."""
        every, summed = asdict(self), [f.name for f in fields(Sums)]
        return {name: every[name] for name in [*(n for n in every if n not in summed), *summed]}


def added(sums: Sequence[Sums]) -> dict[str, Any]:
    """Return the fields of the sum of all `sums`; log p is added by `math.fsum`, so that any order gives the same bits."""
    names = [f.name for f in fields(Sums)]
    return {n: (math.fsum if n == "nats" else sum)(getattr(s, n) for s in sums) for n in names}
