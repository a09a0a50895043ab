"""What the hypotheses of a law of bytes become behind one more byte, and which of them are kept."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.byte_ranges import logsumexp_runs, runs
from pofx.errors import TooLong
from pofx.state import State
from pofx.trace import Ints
from pofx.transforms.covers import END, Covers
from pofx.transforms.reserve import Reserve
from pofx.transforms.sorted_tokens import Logs

# Numbers of next-token laws held at a time: 1 GB in float32; 5,461 hypotheses with 49,152 tokens.
MOST = 1 << 28


def followed(covers: Covers, byte: Ints) -> Candidates:
    """What becomes of the hypotheses when each row goes on with its byte, or EOS.

    Where none goes on, what is in reserve does: it is read now, from its own place on. Else no model is called.
    """
    found = _one_byte(covers, byte)
    anew = np.isneginf(found.total)
    while len(dead := np.flatnonzero(np.isneginf(found.total) & (found.before.reserve.at >= 0))):
        found = _one_byte(_healed(found.before, dead), byte)
    return replace(found, asked=covers, anew=anew)


def _healed(covers: Covers, rows: Ints) -> Covers:
    """These rows begun anew with what they have in reserve."""
    t, spare = covers.tokens, covers.reserve.take(rows)
    new = Covers.start(t, len(rows), covers.beam)
    new = replace(
        new,
        inner=t.lm.extend(covers.inner.take(spare.at), spare.token[:, None]),
        known=np.full(len(rows), np.nan),
        at=np.arange(len(rows)),
        prior=spare.weight,
        total=spare.weight,
        lost=covers.lost[rows],
    )
    size = np.array([len(b) for b in spare.since])
    parts, order = [], []
    for n in np.unique(size):
        some = np.flatnonzero(size == n)
        part = new.take(some)
        for byte in np.array([list(spare.since[k]) for k in some], dtype=np.int64).reshape(len(some), n).T:
            part = followed(part, byte).kept(np.arange(len(some)))
        parts.append(part)
        order.append(rows[some])
    alive = np.setdiff1d(np.arange(covers.n), rows)
    return covers.take(alive).cat(parts).take(np.argsort(np.concatenate([alive, *order])))


def _one_byte(covers: Covers, byte: Ints) -> Candidates:
    t, logp, base = covers.tokens, covers.inner.logp, covers.base
    theirs = byte[covers.row]
    over = np.flatnonzero((theirs == END) & covers.ends)
    last = base[over] + logp[covers.at[over], t.end] if len(over) else np.zeros(0)
    lo, hi = t.ranges.narrow(covers.lo, covers.hi, covers.depth, np.minimum(theirs, 255))
    going = np.flatnonzero((lo < hi) & (theirs != END))
    lo, hi, depth = lo[going], hi[going], covers.depth[going] + 1
    closed = t.ranges.closed(lo, hi, depth)
    which, place = runs(lo, lo + closed)
    parent, token = going[which], t.ranges.ids[place]
    shut = base[parent] + logp[covers.at[parent], token].astype(np.float64)
    lo = lo + closed
    wide = base[going] + t.ranges.mass(logp, covers.at[going], lo, hi)
    k = len(parent)
    found = Candidates(
        covers,
        covers,
        byte,
        np.zeros(covers.n, dtype=np.bool_),
        parent=np.concatenate([parent, going, over]),
        token=np.concatenate([token, np.full(len(going) + len(over), -1)]),
        lo=np.concatenate([np.zeros(k, dtype=np.int64), lo, np.zeros(len(over), dtype=np.int64)]),
        hi=np.concatenate([np.full(k, t.ranges.size), hi, np.zeros(len(over), dtype=np.int64)]),
        depth=np.concatenate([np.zeros(k, dtype=np.int64), depth, np.zeros(len(over), dtype=np.int64)]),
        weight=np.concatenate([shut, wide, last]),
    )
    return found.sorted()


def worth(beam: int) -> float:
    """log of the share of a text's mass from which on a closed token is worth a call of the model: 10^−beam, and of fewer
    than five histories 10^−(beam + 5)/2.

    With three, of 16 texts of 100 bytes SmolLM2 loses 1.1e-2 bits a byte at a share of 1e-3 (nearly all of it in one text),
    for 0.86 histories a byte, and 2.2e-3 at 1e-4, for 1.2. With five, at 1e-5, 2e-4.
    """
    return -max(beam, (beam + 5) / 2) * math.log(10)


@dataclass(frozen=True, eq=False)
class Candidates:
    """What hypotheses become behind one more byte, before any model is called; sorted by row, the heaviest first.

    asked: whose they are. before: the same, but `anew`, `[n]`, with what was in reserve. byte: `[n]`, what follows.
    parent: which hypothesis. token: the id that is closed, −1 for one still open (lo, hi, depth), or over (hi = 0).
    """

    asked: Covers
    before: Covers
    byte: Ints
    anew: NDArray[np.bool_]
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

    @property
    def logp(self) -> Logs:
        """log p(byte | text), `[n]`, as `Covers.law` has it."""
        old = self.asked
        size = END + (old.tokens.end is not None)
        dead = np.isneginf(old.total)
        kept = np.where(self.anew, -np.inf, self.total - np.where(dead, 0.0, old.total))
        with np.errstate(divide="ignore"):
            mixed = np.logaddexp(kept + np.log1p(-old.flat), np.log(old.flat) - np.log(size))
        return np.where(dead, -np.log(size), np.where(old.flat > 0, mixed, kept))

    @property
    def most(self) -> Logs:
        """An upper bound of log P(text and byte), `[n]`; `total` is a lower one."""
        return np.logaddexp(self.total, self.before.pruned)

    def kept(self, rows: Ints) -> Covers:
        """These rows go on, each with its `beam` heaviest histories: what is open behind them, and what they close.

        Where these close nothing, the heaviest closed token of any is kept in reserve, unread, so that a beam does
        not die. One call of the model for all tokens that were closed.
        """
        old, t = self.before, self.before.tokens
        place = np.full(old.n, -1)
        place[rows] = np.arange(len(rows))
        now = self._pick(np.flatnonzero((place[self.row] >= 0) & (self.hi > 0)))
        total, lost, spare = self.total[rows], old.lost[rows], Reserve.none(len(rows))
        if old.beam is not None:
            heavy = now._heavy(old.beam)
            first = now._first_shut(heavy)
            spare, dropped = now._reserve(rows, heavy, first)
            lost = np.logaddexp(lost, dropped)
            if not heavy.all():
                gone = ~heavy
                gone[first] = False
                lost = np.logaddexp(lost, now._pick(np.flatnonzero(gone)).total[rows])
                whole = np.bincount(now.row, minlength=old.n) == np.bincount(now.row[heavy], minlength=old.n)
                now = now._pick(np.flatnonzero(heavy))
                # A row that lost nothing keeps its total to the last digit.
                total = np.where(whole[rows], total, now.total[rows])
        if len(now.token) * t.lm.vocab.size > MOST:
            raise TooLong(
                f"expected a text of which all tokenisations can be held, found {len(now.token):,} ways to spell "
                f"its first bytes with {t.lm.vocab.size:,} tokens",
                "keep the heaviest: bytewise(lm, beam=5)",
            )
        inner, known, at, behind = now._histories(spare.at)
        shut_now = now.token >= 0
        order = np.argsort(place[now.row], kind="stable")
        covers = Covers(
            t,
            inner,
            known,
            row=place[now.row][order],
            at=at[order],
            lo=now.lo[order],
            hi=now.hi[order],
            depth=now.depth[order],
            prior=np.where(shut_now, now.weight, old.prior[now.parent])[order],
            ends=shut_now[order],
            fresh=shut_now[order],
            total=total,
            lost=lost,
            beam=old.beam,
            reserve=replace(spare, at=behind),
        )
        return covers.merged() if old.beam is None else covers

    def _first_shut(self, heavy: NDArray[np.bool_]) -> Ints:
        """The heaviest closed token of each row that keeps none."""
        shut = np.flatnonzero(self.token >= 0)
        missing = shut[~np.isin(self.row[shut], self.row[shut[heavy[shut]]])]
        found: Ints = missing[np.unique(self.row[missing], return_index=True)[1]]
        return found

    def _reserve(self, rows: Ints, heavy: NDArray[np.bool_], first: Ints) -> tuple[Reserve, Logs]:
        """What these rows have in reserve now, `at` in the states before; and log of the mass that they give up for it.

        A closed token that is kept needs none, a new one takes the place of an old one: it has the text's last bytes.
        """
        old = self.before.reserve.take(rows)
        place = np.full(self.before.n, -1)
        place[rows] = np.arange(len(rows))
        over = np.isin(rows, self.row[heavy & (self.token >= 0)]) | (self.byte[rows] == END)
        new = place[self.row[first]]
        over[new] = True
        since = [b"" if o else b + bytes([x]) for b, o, x in zip(old.since, over, self.byte[rows].tolist())]
        at, token = np.where(over, -1, old.at), np.where(over, -1, old.token)
        weight = np.where(over, -np.inf, old.weight)
        at[new], token[new] = self.before.at[self.parent[first]], self.token[first]
        weight[new] = self.weight[first]
        return Reserve(at, token, weight, tuple(since)), np.where(over, old.weight, -np.inf)

    def _heavy(self, beam: int) -> NDArray[np.bool_]:
        """Which candidates are those of the `beam` heaviest histories of their row; its heaviest is one in any case."""
        history, whose = np.unique(self.parent, return_inverse=True)
        weight = logsumexp_runs(
            self.weight[np.argsort(whose, kind="stable")], np.bincount(whose, minlength=len(history))
        )
        row = self.before.row[history]
        order = np.lexsort((-weight, row))
        rank = np.empty(len(history), dtype=np.int64)
        rank[order] = np.arange(len(history)) - np.searchsorted(row[order], row[order])
        heavy: NDArray[np.bool_] = rank[whose] < beam
        heavy[self.token >= 0] &= (self.weight - self.total[self.row])[self.token >= 0] >= worth(beam)
        heavy[np.unique(self.row, return_index=True)[1]] = True
        return heavy

    def _histories(self, spare: Ints) -> tuple[State, Logs, Ints, Ints]:
        """States of the candidates' histories, each once, what is known of their laws, and whose is which; the same for
        the states `spare` (−1: none) of what is in reserve."""
        old, t = self.before, self.before.tokens
        come_from = old.at[self.parent]
        shut = np.flatnonzero(self.token >= 0)
        wide = np.flatnonzero(self.token < 0)
        held = np.flatnonzero(spare >= 0)
        at, behind = np.zeros(len(self.token), dtype=np.int64), np.full(len(spare), -1)
        same, mine = np.unique(np.concatenate([come_from[wide], spare[held]]), return_inverse=True)
        at[wide], behind[held] = mine[: len(wide)], mine[len(wide) :]
        size = t.lm.vocab.size
        pair, mine = np.unique(come_from[shut] * size + self.token[shut], return_inverse=True)
        at[shut] = mine + len(same)
        known = np.concatenate([old.spelling[same], np.full(len(pair), np.nan)])
        stay = old.inner.take(same) if len(same) != old.inner.n else old.inner
        if not len(pair):
            return stay, known, at, behind
        longer = t.lm.extend(old.inner.take(pair // size), (pair % size)[:, None])
        return (stay.cat(longer) if len(same) else longer), known, at, behind
