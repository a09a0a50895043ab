"""The factors of the chain rule and their total, as terminal and page show them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pofx.queries.scoring.score import Scored
from pofx.report.sums import steps
from pofx.report.visible import token_name
from pofx.units import bits_per_byte


@dataclass(frozen=True)
class Factor:
    """One factor p(x_i | x_<i) of the chain rule.

    Attributes:
        i: The position, from 1.
        token: The printable name of the token.
        logp: log p(x_i | x_<i), nats.
        running: The sum of log p up to this factor, nats.
        shown: log p and the running sum as they are written: the written terms add up to the written sums.
        rank: The rank of the token in its distribution, from 1; None where the record has no ranks.
        entropy: The entropy of the distribution, nats; None where the record has no entropies.
        is_end: Whether the token is EOS.
    """

    i: int
    token: str
    logp: float
    running: float
    shown: tuple[str, str]
    rank: int | None
    entropy: float | None
    is_end: bool


@dataclass(frozen=True)
class Total:
    """The sum of all factors, and its name.

    Attributes:
        name: "log p(x)" of a complete text, "log P(x)" of a prefix.
        value: The sum, nats.
        bits_per_byte: The negative sum, in bits per byte of text.
        complete: Whether the text is complete, so that EOS is a factor.
    """

    name: str
    value: float
    bits_per_byte: float
    complete: bool

    @property
    def description(self) -> str:
        """The kind of the number, in words."""
        return "complete text" if self.complete else "prefix probability, no EOS term"


def factors(scored: Scored, positions: Iterable[int]) -> list[Factor]:
    """Return the factors at some positions; each running sum covers all positions up to its own.

    Args:
        scored: The text.
        positions: The positions, from 0.
    """
    sums = np.cumsum(scored.logp)
    shown, shown_sums = steps(scored.logp.tolist(), total(scored).value)
    ids = token_ids(scored)
    return [
        Factor(
            k + 1,
            token_name(scored.vocab, ids[k]),
            float(scored.logp[k]),
            float(sums[k]),
            (shown[k], shown_sums[k]),
            None if scored.rank is None else int(scored.rank[k]),
            None if scored.entropy is None else float(scored.entropy[k]),
            k >= len(scored.tokens),
        )
        for k in positions
    ]


def total(scored: Scored) -> Total:
    """Return the total of a text: log p of a complete text, or log P where EOS is no term."""
    complete = scored.terms.end
    value = scored.total if complete else scored.prefix_total
    prefix = " | given" if scored.terms.given_bytes else ""
    return Total(
        f"log {'p' if complete else 'P'}(x{prefix})",
        value,
        bits_per_byte(-value, scored.terms.bytes),
        complete,
    )


def token_ids(scored: Scored) -> list[int]:
    """Return the id of each entry of `logp`: the tokens, and EOS where it is a term."""
    ids = [int(i) for i in scored.tokens]
    if len(scored.logp) > len(ids):
        assert scored.vocab.end is not None  # noqa: S101  (ours: only EOS adds an entry)
        ids.append(scored.vocab.end)
    return ids
