"""p(· | prefix) for a prefix that is a string: what follows may be spelled by tokens that begin inside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import logsumexp
from pofx.lm import LM, State, refuse_unconditional
from pofx.trace import Ints
from pofx.transforms.bytewise import bytewise, opens_with_space
from pofx.transforms.covers import Covers
from pofx.transforms.given import Given
from pofx.transforms.sorted_tokens import sorted_tokens
from pofx.vocab import to_bytes

# Hypotheses of a join.
BEAM = 16
# Bytes at the end of a prefix that are read as bytes, at least: a call of the model each, and the bounds of what
# follows widen with every one.
TAIL = 16


@dataclass(frozen=True)
class Join:
    """A prefix in two parts: `head`, read as tokens, and `tail`, the rest, whose bytes any tokens may spell.

    lm: the law of bytes behind the head. p(y | prefix) = p(tail y) / P(tail), both under `lm`.
    """

    lm: LM
    head: bytes
    tail: bytes

    @cached_property
    def covers(self) -> Covers:
        """The hypotheses behind the tail."""
        covers: Covers = self.lm.extend(self.lm.start(1), [list(self.tail)]).carry
        return covers

    def draw(self, u: NDArray[np.float64]) -> Opened:
        """Covers of the prefix, drawn by P(cover | prefix) from uniform numbers `u[n, 2]`."""
        c = self.covers
        ranges, logp = c.tokens.ranges, c.inner.logp
        spelled = c.prior - c.spelling[c.at] + ranges.mass(logp, c.at, c.lo, c.hi)
        weight = np.where(c.ends, c.prior, spelled)
        share = weight - logsumexp(weight)
        k = _drawn(share, u[:, 0])
        gain, token = share[k], np.full(len(k), -1)
        for h in np.unique(k[c.depth[k] > 0]):
            ids = ranges.ids[c.lo[h] : c.hi[h]]
            law = logp[c.at[h], ids].astype(np.float64)
            law -= logsumexp(law)
            rows = np.flatnonzero(k == h)
            t = _drawn(law, u[rows, 1])
            token[rows] = ids[t]
            gain[rows] += law[t]
        return Opened(c.inner.take(c.at[k]), token, c.depth[k], gain)


@dataclass(frozen=True, eq=False)
class Opened:
    """n covers of a prefix. state: of the tokens before the last one. token: the last one, of which `depth` bytes lie
    in the prefix; −1 where the prefix ends with a token. logp: log P(cover | prefix), nats."""

    state: State
    token: Ints
    depth: Ints
    logp: NDArray[np.float64]


def _drawn(logp: NDArray[np.float64], u: NDArray[np.float64]) -> Ints:
    mass = np.cumsum(np.exp(logp))
    found: Ints = np.searchsorted(mass, u * mass[-1], "right").astype(np.int64)
    return np.minimum(found, len(mass) - 1)


def joined(lm: LM, prefix: str | bytes, beam: int | None = BEAM) -> Join:
    """The law of bytes behind the head of the prefix, and the tail that is to be conditioned on under it.

    The tail is the whole prefix up to 16 bytes; else it begins at the last place, 16 bytes or more before the end,
    that no token straddles: between words, where tokens are parts of words. What is before it is read as `encode`
    cuts it. A model without x0 is given at least the first token, which it cannot predict (`NoBOS` where there is
    none).

    Right: `join = joined(lm, "free soft")`, then `log_prob(join.lm, "ware", given=join.tail)`; or, for short,
    `log_prob(lm, "ware", given="free soft", boundary="exact")`. Wrong: forgetting the tail.
    """
    text = to_bytes(prefix)
    least = int(lm.begin.known == "none")
    if len(text) <= TAIL and not least:
        return Join(bytewise(lm, beam), b"", text)
    ids = lm.vocab.encode(prefix)
    ends = np.cumsum([0, *map(len, lm.vocab.pieces(ids))])
    if least > len(ids):
        raise refuse_unconditional(lm.begin)
    opening = b" " if opens_with_space(lm.vocab) else b""
    reach = sorted_tokens(lm.vocab.token_bytes).reach(opening + text)
    furthest = np.maximum.accumulate(np.arange(len(reach)) + reach) - len(opening)
    latest = len(text) - max(TAIL, 1)  # a token that reaches the end may go on in what follows
    clean = [
        k for k in range(1, len(ids)) if ends[k] <= latest and furthest[ends[k] - 1 + len(opening)] <= ends[k]
    ]
    k = max(clean, default=least)
    at = int(ends[k])
    behind = Given(lm, ids[:k], text[:at]) if k else lm
    return Join(bytewise(behind, beam), text[:at], text[at:])
