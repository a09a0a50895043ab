"""The ways in which tokens can spell the bytes so far: closed tokens, and an open one that begins with the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.byte_ranges import expand_ranges, logsumexp_runs
from pofx.algorithms.logspace import logsumexp
from pofx.lm.state import State
from pofx.lm.trace import Ints
from pofx.transforms.bytewise.reserve import Reserve, uniform_share, with_uniform
from pofx.transforms.bytewise.sorted_tokens import Logs, Tokens

# EOS of the law over bytes.
END = 256


@dataclass(frozen=True, eq=False)
class Covers:
    """Hypotheses of n rows, sorted by row: a token history, and the range of tokens its next one is among.

    row, at: whose it is, and the row of `inner`, the states of the histories (hypotheses with one history share it).
    lo, hi, depth: the open token is one of the places [lo, hi), which share `depth` bytes with the text.
    prior: log P(history). ends: the text may end here (depth 0). fresh: no byte of the open token is read yet.
    total, lost: `[n]`, log of the mass of all hypotheses of a row, and of those that were dropped on the way.
    beam: how many histories a row keeps, None for all. reserve: what it keeps besides, unread.
    known: log(1 − p(control tokens)) of the laws of `inner`, nan where not yet read.
    """

    tokens: Tokens
    inner: State
    known: Logs
    row: Ints
    at: Ints
    lo: Ints
    hi: Ints
    depth: Ints
    prior: Logs
    ends: NDArray[np.bool_]
    fresh: NDArray[np.bool_]
    total: Logs
    lost: Logs
    beam: int | None
    reserve: Reserve

    @classmethod
    def start(cls, tokens: Tokens, n: int, beam: int | None) -> Covers:
        """n texts of which nothing is read."""
        zero, yes = np.zeros(n, dtype=np.int64), np.ones(n, dtype=np.bool_)
        return cls(
            tokens=tokens,
            inner=tokens.lm.start(1),
            known=np.array([np.nan]),
            row=np.arange(n, dtype=np.int64),
            at=zero,
            lo=zero,
            hi=np.full(n, tokens.ranges.size),
            depth=zero,
            prior=np.zeros(n),
            ends=yes,
            fresh=yes,
            total=np.zeros(n),
            lost=np.full(n, -np.inf),
            beam=beam,
            reserve=Reserve.none(n),
        )

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.total)

    def take(self, rows: Ints) -> Covers:
        """These rows; histories are not copied."""
        first = np.searchsorted(self.row, np.arange(self.n + 1))
        row, k = expand_ranges(first[:-1][rows], first[1:][rows])
        picked: dict[str, Any] = {
            f: getattr(self, f)[k] for f in ("at", "lo", "hi", "depth", "prior", "ends", "fresh")
        }
        total, lost = self.total[rows], self.lost[rows]
        return replace(self, row=row, total=total, lost=lost, reserve=self.reserve.take(rows), **picked)

    def cat(self, others: Sequence[Covers]) -> Covers:
        """These rows and then those."""
        every = [self, *others]
        inner = self.inner.cat(*[c.inner for c in others])
        at = np.cumsum([0, *[c.inner.n for c in every]])
        row = np.cumsum([0, *[c.n for c in every]])
        joined: dict[str, Any] = {
            f: np.concatenate([getattr(c, f) for c in every])
            for f in ("lo", "hi", "depth", "prior", "ends", "fresh", "total", "lost", "known")
        }
        return replace(
            self,
            inner=inner,
            at=np.concatenate([c.at + k for c, k in zip(every, at)]),
            row=np.concatenate([c.row + k for c, k in zip(every, row)]),
            reserve=self.reserve.cat([c.reserve for c in others], at.tolist()),
            **joined,
        )

    def merged(self) -> Covers:
        """Hypotheses that nothing to come can tell apart as one: of an n-gram, histories that end with the same tokens."""
        known = self.tokens.lm.sufficient(self.inner)
        if known is None or not len(self.row):
            return self
        _, first, same = np.unique(known, axis=0, return_index=True, return_inverse=True)
        at = same.reshape(-1)[self.at]
        every = np.stack([self.row, at, self.lo, self.hi, self.depth, self.ends, self.fresh], axis=1)
        _, k, which = np.unique(every, axis=0, return_index=True, return_inverse=True)
        if len(k) == len(self.row):
            return self
        order = np.argsort(which.reshape(-1), kind="stable")
        prior = logsumexp_runs(self.prior[order], np.bincount(which.reshape(-1)))
        picked: dict[str, Any] = {
            f: getattr(self, f)[k] for f in ("row", "lo", "hi", "depth", "ends", "fresh")
        }
        inner, spelling = self.inner.take(first), self.known[first]
        return replace(self, inner=inner, known=spelling, at=at[k], prior=prior, **picked)

    @cached_property
    def spelling(self) -> Logs:
        """log(1 − p(control tokens)) of each law of `inner`."""
        out = self.known.copy()
        new = np.flatnonzero(np.isnan(out))
        if len(new):
            out[new] = self.tokens.spelling(self.inner.logp, new)
        return out

    @property
    def pruned(self) -> Logs:
        """log of the mass of all that is not among the hypotheses, `[n]`: dropped, or in reserve."""
        return np.logaddexp(self.lost, self.reserve.weight)

    @cached_property
    def flat(self) -> Logs:
        """The share of the law that is uniform, `[n]`: for what is in reserve."""
        return uniform_share(self.total, self.reserve.weight)

    @property
    def size(self) -> int:
        """How many outcomes the law has: the bytes, and EOS where the model has one."""
        return END + (self.tokens.end is not None)

    @property
    def base(self) -> Logs:
        """log P(history) / (1 − p(control tokens)): times the mass of tokens, the weight of a hypothesis."""
        with np.errstate(invalid="ignore"):
            base: Logs = self.prior - self.spelling[self.at]
        return np.where(np.isfinite(base), base, -np.inf)

    @property
    def leak(self) -> Logs:
        """Mass of control tokens in the laws that are opened here, `[n]`: p(control | text so far)."""
        out = np.zeros(self.n)
        k = np.flatnonzero(self.fresh & np.isfinite(self.total[self.row]))
        share = np.exp(self.prior[k] - self.total[self.row[k]])
        np.add.at(out, self.row[k], share * -np.expm1(self.spelling[self.at[k]]))
        return out

    def law(self) -> Logs:
        """log p(next byte | text), `[n, 256]`, or `[n, 257]` with EOS; uniform where no hypothesis is left."""
        return with_uniform(self.kept_law, self.flat[:, None], self.size)

    @cached_property
    def kept_law(self) -> Logs:
        """The law of the hypotheses alone: without the uniform share for what is in reserve."""
        logp, base = self.inner.logp, self.base
        each = np.full((len(self.row), self.size), -np.inf)
        each[:, :END] = self.tokens.ranges.next_bytes(logp, self.at, self.lo, self.hi, self.depth)
        if self.tokens.end is not None:
            each[:, END] = np.where(self.ends, logp[self.at, self.tokens.end], -np.inf)
        each += base[:, None]
        out = np.full((self.n, self.size), -np.inf)
        rows, starts = np.unique(self.row, return_index=True)
        if len(rows):
            out[rows] = np.logaddexp.reduceat(each, starts, axis=0)
        whole = logsumexp(out)[:, None]
        dead = np.isneginf(whole)
        return np.where(dead, -np.log(self.size), out - np.where(dead, 0.0, whole))
