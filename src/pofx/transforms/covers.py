"""The ways in which tokens can spell the bytes so far: closed tokens, and an open one that begins with the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.byte_ranges import logsumexp_runs, runs
from pofx.algorithms.logspace import logsumexp
from pofx.errors import TooLong
from pofx.lm import State
from pofx.trace import Ints
from pofx.transforms.sorted_tokens import Logs, Tokens

# EOS of the law over bytes.
END = 256
# Numbers of next-token laws held at a time: 1 GB in float32; 5,461 hypotheses with 49,152 tokens.
MOST = 1 << 28


@dataclass(frozen=True, eq=False)
class Covers:
    """Hypotheses of n rows, sorted by row: a token history, and the range of tokens its next one is among.

    row, at: whose it is, and the row of `inner`, the states of the histories (hypotheses with one history share it).
    lo, hi, depth: the open token is one of the places [lo, hi), which share `depth` bytes with the text.
    prior: log P(history). ends: the text may end here (depth 0). fresh: no byte of the open token is read yet.
    total, pruned: `[n]`, log of the mass of all hypotheses of a row, and of those that were dropped on the way.
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
    pruned: Logs

    @classmethod
    def start(cls, tokens: Tokens, n: int) -> Covers:
        """n texts of which nothing is read."""
        rows = np.arange(n, dtype=np.int64)
        zero, none = np.zeros(n, dtype=np.int64), np.full(n, -np.inf)
        yes = np.ones(n, dtype=np.bool_)
        size = np.full(n, tokens.ranges.size)
        inner = tokens.lm.start(1)
        nats = np.zeros(n)
        return cls(
            tokens, inner, np.array([np.nan]), rows, zero, zero, size, zero, nats, yes, yes, nats, none
        )

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.total)

    def take(self, rows: Ints) -> Covers:
        """These rows; histories are not copied."""
        first = np.searchsorted(self.row, np.arange(self.n + 1))
        row, k = runs(first[:-1][rows], first[1:][rows])
        picked: dict[str, Any] = {
            f: getattr(self, f)[k] for f in ("at", "lo", "hi", "depth", "prior", "ends", "fresh")
        }
        return replace(self, row=row, total=self.total[rows], pruned=self.pruned[rows], **picked)

    def cat(self, others: Sequence[Covers]) -> Covers:
        """These rows and then those."""
        every = [self, *others]
        inner = self.inner.cat(*[c.inner for c in others])
        at = np.cumsum([0, *[c.inner.n for c in every]])
        row = np.cumsum([0, *[c.n for c in every]])
        joined: dict[str, Any] = {
            f: np.concatenate([getattr(c, f) for c in every])
            for f in ("lo", "hi", "depth", "prior", "ends", "fresh", "total", "pruned", "known")
        }
        return replace(
            self,
            inner=inner,
            at=np.concatenate([c.at + k for c, k in zip(every, at)]),
            row=np.concatenate([c.row + k for c, k in zip(every, row)]),
            **joined,
        )

    @cached_property
    def spelling(self) -> Logs:
        """log(1 − p(control tokens)) of each law of `inner`."""
        out = self.known.copy()
        new = np.flatnonzero(np.isnan(out))
        if len(new):
            out[new] = self.tokens.spelling(self.inner.logp, new)
        return out

    @property
    def _base(self) -> Logs:
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
        logp, base = self.inner.logp, self._base
        size = END + (self.tokens.end is not None)
        each = np.full((len(self.row), size), -np.inf)
        each[:, :END] = self.tokens.ranges.next_bytes(logp, self.at, self.lo, self.hi, self.depth)
        if self.tokens.end is not None:
            each[:, END] = np.where(self.ends, logp[self.at, self.tokens.end], -np.inf)
        each += base[:, None]
        out = np.full((self.n, size), -np.inf)
        rows, starts = np.unique(self.row, return_index=True)
        if len(rows):
            out[rows] = np.logaddexp.reduceat(each, starts, axis=0)
        whole = logsumexp(out)[:, None]
        dead = np.isneginf(whole)
        return np.where(dead, -np.log(size), out - np.where(dead, 0.0, whole))

    def followed(self, byte: Ints) -> Candidates:
        """What becomes of the hypotheses when each row goes on with its byte, or EOS; no model is called."""
        t, logp, base = self.tokens, self.inner.logp, self._base
        theirs = byte[self.row]
        over = np.flatnonzero((theirs == END) & self.ends)
        last = base[over] + logp[self.at[over], t.end] if len(over) else np.zeros(0)
        lo, hi = t.ranges.narrow(self.lo, self.hi, self.depth, np.minimum(theirs, 255))
        going = np.flatnonzero((lo < hi) & (theirs != END))
        lo, hi, depth = lo[going], hi[going], self.depth[going] + 1
        closed = t.ranges.closed(lo, hi, depth)
        which, place = runs(lo, lo + closed)
        parent, token = going[which], t.ranges.ids[place]
        shut = base[parent] + logp[self.at[parent], token].astype(np.float64)
        lo = lo + closed
        wide = base[going] + t.ranges.mass(logp, self.at[going], lo, hi)
        k = len(parent)
        found = Candidates(
            self,
            parent=np.concatenate([parent, going, over]),
            token=np.concatenate([token, np.full(len(going) + len(over), -1)]),
            lo=np.concatenate([np.zeros(k, dtype=np.int64), lo, np.zeros(len(over), dtype=np.int64)]),
            hi=np.concatenate([np.full(k, t.ranges.size), hi, np.zeros(len(over), dtype=np.int64)]),
            depth=np.concatenate([np.zeros(k, dtype=np.int64), depth, np.zeros(len(over), dtype=np.int64)]),
            weight=np.concatenate([shut, wide, last]),
        )
        return found.sorted()


def worth(beam: int) -> float:
    """log of the share of a text's mass from which on a closed token is worth a call of the model: 10^−(2 + beam).

    Every further history is worth a decimal digit: what is dropped makes bounds wide. Of 118 bytes of English, beam 5,
    SmolLM2 loses 5e-5 nats at a share of 1e-7, for 1.8 calls a byte; opened whatever its share, 4.2 calls.
    """
    return -(2 + beam) * math.log(10)


@dataclass(frozen=True, eq=False)
class Candidates:
    """What hypotheses become behind one more byte, before any model is called; sorted by row, the heaviest first.

    parent: which hypothesis. token: the id that is closed, −1 for one still open (lo, hi, depth), or over (hi = 0).
    """

    before: Covers
    parent: Ints
    token: Ints
    lo: Ints
    hi: Ints
    depth: Ints
    weight: Logs

    @property
    def row(self) -> Ints:
        """Whose each is."""
        return self.before.row[self.parent]

    @cached_property
    def total(self) -> Logs:
        """log of the mass of each row's candidates, `[n]`: a lower bound of log P(text), the whole of it if exact."""
        return logsumexp_runs(self.weight, np.bincount(self.row, minlength=self.before.n))

    def _pick(self, k: Ints) -> Candidates:
        picked: dict[str, Any] = {
            f: getattr(self, f)[k] for f in ("parent", "token", "lo", "hi", "depth", "weight")
        }
        return replace(self, **picked)

    def sorted(self) -> Candidates:
        """By row and weight, those of weight 0 left out."""
        some = self._pick(np.flatnonzero(self.weight > -np.inf))
        return some._pick(np.lexsort((-some.weight, some.row)))

    def kept(self, rows: Ints, beam: int | None) -> Covers:
        """These rows go on, each with its `beam` heaviest histories: what is open behind them, and what they close.

        Where these close nothing, the heaviest closed token of another is kept with them, so that a beam does not
        die: behind a closed token whatever has a token of its own can follow. One call of the model for all tokens
        that were closed.
        """
        old, t = self.before, self.before.tokens
        place = np.full(old.n, -1)
        place[rows] = np.arange(len(rows))
        now = self._pick(np.flatnonzero((place[self.row] >= 0) & (self.hi > 0)))
        total, pruned = self.total[rows], old.pruned[rows]
        if beam is not None:
            heavy = now._heavy(beam)
            if not heavy.all():
                off = now._pick(np.flatnonzero(~heavy))
                now = now._pick(np.flatnonzero(heavy))
                pruned = np.logaddexp(pruned, off.total[rows])
                # A row that lost nothing keeps its total to the last digit.
                total = np.where(np.isneginf(off.total[rows]), total, now.total[rows])
        if len(now.token) * t.lm.vocab.size > MOST:
            raise TooLong(
                f"expected a text of which all tokenisations can be held, found {len(now.token):,} ways to spell "
                f"its first bytes with {t.lm.vocab.size:,} tokens; keep the heaviest: bytewise(lm, beam=5)"
            )
        inner, known, at = now._histories()
        shut_now = now.token >= 0
        order = np.argsort(place[now.row], kind="stable")
        parent = now.parent
        prior = np.where(shut_now, now.weight, old.prior[parent])
        return Covers(
            t,
            inner,
            known,
            place[now.row][order],
            at[order],
            now.lo[order],
            now.hi[order],
            now.depth[order],
            prior[order],
            shut_now[order],
            shut_now[order],
            total,
            pruned,
        )

    def _heavy(self, beam: int) -> NDArray[np.bool_]:
        """Which candidates are those of the `beam` heaviest histories of their row, or stand in for what ends there."""
        history, whose = np.unique(self.parent, return_inverse=True)
        weight = logsumexp_runs(
            self.weight[np.argsort(whose, kind="stable")], np.bincount(whose, minlength=len(history))
        )
        row = self.before.row[history]
        order = np.lexsort((-weight, row))
        rank = np.empty(len(history), dtype=np.int64)
        rank[order] = np.arange(len(history)) - np.searchsorted(row[order], row[order])
        heavy: NDArray[np.bool_] = rank[whose] < beam
        shut = np.flatnonzero(self.token >= 0)
        heavy[shut] &= self.weight[shut] - self.total[self.row[shut]] >= worth(beam)
        ended = np.unique(self.row[shut[heavy[shut]]])
        missing = shut[~np.isin(self.row[shut], ended)]
        heavy[missing[np.unique(self.row[missing], return_index=True)[1]]] = True
        return heavy

    def _histories(self) -> tuple[State, Logs, Ints]:
        """States of the candidates' histories, each once, what is known of their laws, and whose is which."""
        old, t = self.before, self.before.tokens
        come_from = old.at[self.parent]
        shut = np.flatnonzero(self.token >= 0)
        wide = np.flatnonzero(self.token < 0)
        at = np.zeros(len(self.token), dtype=np.int64)
        same, at[wide] = np.unique(come_from[wide], return_inverse=True)
        size = t.lm.vocab.size
        pair, mine = np.unique(come_from[shut] * size + self.token[shut], return_inverse=True)
        at[shut] = mine + len(same)
        known = np.concatenate([old.spelling[same], np.full(len(pair), np.nan)])
        stay = old.inner.take(same) if len(same) != old.inner.n else old.inner
        if not len(pair):
            return stay, known, at
        longer = t.lm.extend(old.inner.take(pair // size), (pair % size)[:, None])
        return (stay.cat(longer) if len(same) else longer), known, at
