"""The chain rule of one text as rows: what both the terminal and the page show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pofx.queries.scoring.score import Scored
from pofx.report.visible import token_name
from pofx.units import bits_per_byte


@dataclass(frozen=True)
class Factor:
    """One factor p(x_i | x_<i): nats.

    i counts from 1; `running` is the sum so far; rank and entropy are there where they were asked for.
    """

    i: int
    token: str
    logp: float
    running: float
    rank: int | None
    entropy: float | None
    is_end: bool


@dataclass(frozen=True)
class Total:
    """The sum and what to call it. name: "log p(x)" of a complete text, "log P(x)" of a prefix; nats."""

    name: str
    value: float
    bits_per_byte: float
    complete: bool

    @property
    def description(self) -> str:
        """What the number is, in words."""
        return "complete text" if self.complete else "prefix probability, no EOS term"


def factors(scored: Scored, which: Iterable[int]) -> list[Factor]:
    """The factors at positions `which` (from 0); the running sums are of all positions before them."""
    sums = np.cumsum(scored.logp)
    ids = token_ids(scored)
    return [
        Factor(
            k + 1,
            token_name(scored.vocab, ids[k]),
            float(scored.logp[k]),
            float(sums[k]),
            None if scored.rank is None else int(scored.rank[k]),
            None if scored.entropy is None else float(scored.entropy[k]),
            k >= len(scored.tokens),
        )
        for k in which
    ]


def total(scored: Scored) -> Total:
    """`Scored.total`, or `prefix_total` where texts never end."""
    complete = scored.terms.end
    value = scored.total if complete else scored.prefix_total
    behind = " | given" if scored.terms.given_bytes else ""
    return Total(
        f"log {'p' if complete else 'P'}(x{behind})",
        value,
        bits_per_byte(-value, scored.terms.bytes),
        complete,
    )


def token_ids(scored: Scored) -> list[int]:
    """The id of each entry of `logp`: the tokens, and EOS where it is a term."""
    ids = [int(i) for i in scored.tokens]
    if len(scored.logp) > len(ids):
        assert scored.vocab.end is not None  # noqa: S101  (ours: only EOS adds an entry)
        ids.append(scored.vocab.end)
    return ids
