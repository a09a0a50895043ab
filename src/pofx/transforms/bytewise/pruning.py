"""The pruning rule of a beam: which candidates go on, which candidate waits in reserve, and which are dropped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from pofx.algorithms.logspace import logsumexp_few

# `Candidate.token` of a candidate that closes no token: its last token is still open, or the text is over.
OPEN, OVER = -1, -2


class Candidate(NamedTuple):
    """A hypothesis and one more byte.

    Attributes:
        parent: The number of the hypothesis.
        token: The id of the token that the byte closes, `OPEN` or `OVER`.
        weight: log P(history, token), nats; for `OPEN` the log mass of all tokens that may still be open.
    """

    parent: int
    token: int
    weight: float


class Pruning(NamedTuple):
    """The decisions of the rule on the candidates of one text.

    Attributes:
        kept: Places of the candidates that go on, the heaviest first.
        reserve: Place of the candidate that waits in reserve, unread; None where the former reserve stays.
        cleared: Whether the former reserve is dropped.
        total: log of the mass of the candidates that go on; of all candidates where none is dropped.
        dropped: log of the mass that is dropped, with a former reserve that is dropped.
    """

    kept: Sequence[int]
    reserve: int | None
    cleared: bool
    total: float
    dropped: float


def worth(beam: int) -> float:
    """Return the log of the least share of a text's mass for which a closed token is worth a call of the model.

    The share is 10^(−beam) for five or more histories, and 10^(−(beam + 5) / 2) for fewer.

    The shares were measured on SmolLM2 with 16 texts of 100 bytes. Three histories lose 1.1e-2 bits a byte at a share of
    1e-3, nearly all in one text, and read 0.86 histories a byte. At 1e-4 the loss is 2.2e-3, at 1.2 histories a byte. Five
    histories lose 2e-4 at 1e-5.
    """
    return -max(beam, (beam + 5) / 2) * math.log(10)


def prune(candidates: Sequence[Candidate], total: float, beam: int, spare: float) -> Pruning:
    """Keep the open and the closed candidates of the `beam` heaviest histories.

    A closed token goes on if its share of the mass is at least `worth(beam)`; the heaviest candidate always goes on. Where
    no closed token goes on, the heaviest closed token waits in reserve, so that the beam does not die. Where a closed token
    goes on, no reserve is needed. A new reserve takes the place of the former reserve, since the new token ends later.

    Args:
        candidates: The candidates of one text, the heaviest first.
        total: log of the mass of all candidates.
        beam: The most histories that go on.
        spare: log of the mass of the former reserve, −∞ for none.
    """
    if not candidates or candidates[0].token == OVER:  # EOS ends every hypothesis that it follows
        return Pruning((), None, True, total, spare)
    heavy, least = _heaviest(candidates, beam), total + worth(beam)
    kept: list[int] = []
    reserve, closes = None, False
    for k, (parent, token, weight) in enumerate(candidates):
        if k == 0 or (parent in heavy and (token == OPEN or weight >= least)):
            kept.append(k)
            closes = closes or token != OPEN
        elif reserve is None and token != OPEN:
            reserve = k
    if closes:
        reserve = None
    cleared = closes or reserve is not None
    dropped = [spare] if cleared else []
    if len(kept) < len(candidates):
        inside = {*kept, reserve}
        dropped += [c.weight for k, c in enumerate(candidates) if k not in inside]
        total = logsumexp_few([candidates[k].weight for k in kept])
    return Pruning(kept, reserve, cleared, total, logsumexp_few(dropped))


def _heaviest(candidates: Sequence[Candidate], beam: int) -> set[int]:
    """Return the parents of the `beam` heaviest histories."""
    weights: dict[int, list[float]] = {}
    for parent, _, weight in candidates:
        weights.setdefault(parent, []).append(weight)
    if len(weights) <= beam:
        return set(weights)
    ranked = sorted([(-logsumexp_few(w), parent) for parent, w in weights.items()])
    return {parent for _, parent in ranked[:beam]}
