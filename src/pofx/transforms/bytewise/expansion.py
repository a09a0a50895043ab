"""What the hypotheses of a law of bytes become behind one more byte, and which of them are kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.byte_ranges import expand_ranges, logsumexp_runs
from pofx.errors import TooLong
from pofx.lm.state import State
from pofx.lm.trace import Ints
from pofx.transforms.bytewise.hypotheses import END, Covers
from pofx.transforms.bytewise.pruning import OPEN, OVER, Candidate, pruned
from pofx.transforms.bytewise.reserve import Reserve
from pofx.transforms.bytewise.sorted_tokens import Logs

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
    closed = t.ranges.count_closed(lo, hi, depth)
    which, place = expand_ranges(lo, lo + closed)
    parent, token = going[which], t.ranges.ids[place]
    shut = base[parent] + logp[covers.at[parent], token].astype(np.float64)
    lo = lo + closed
    wide = base[going] + t.ranges.mass(logp, covers.at[going], lo, hi)
    k = len(parent)
    found = Candidates(
        asked=covers,
        before=covers,
        byte=byte,
        anew=np.zeros(covers.n, dtype=np.bool_),
        parent=np.concatenate([parent, going, over]),
        token=np.concatenate([token, np.full(len(going), OPEN), np.full(len(over), OVER)]),
        lo=np.concatenate([np.zeros(k, dtype=np.int64), lo, np.zeros(len(over), dtype=np.int64)]),
        hi=np.concatenate([np.full(k, t.ranges.size), hi, np.zeros(len(over), dtype=np.int64)]),
        depth=np.concatenate([np.zeros(k, dtype=np.int64), depth, np.zeros(len(over), dtype=np.int64)]),
        weight=np.concatenate([shut, wide, last]),
    )
    return found.sorted()


@dataclass(frozen=True, eq=False)
class _Cut:
    """The decisions of `pruned` for n rows: places among all candidates, −1 for no new reserve; and logs, `[n]` each."""

    kept: Ints
    reserve: Ints
    cleared: NDArray[np.bool_]
    total: Logs
    dropped: Logs


@dataclass(frozen=True, eq=False)
class Candidates:
    """What hypotheses become behind one more byte, before any model is called; sorted by row, the heaviest first.

    asked: whose they are. before: the same, but `anew`, `[n]`, with what was in reserve. byte: `[n]`, what follows.
    parent: which hypothesis. token: the id that is closed, `OPEN` for one still open (lo, hi, depth), or `OVER`.
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
    def most(self) -> Logs:
        """An upper bound of log P(text and byte), `[n]`; `total` is a lower one."""
        return np.logaddexp(self.total, self.before.pruned)

    def kept(self, rows: Ints) -> Covers:
        """These rows go on, each with the candidates that the rule of `pruned` keeps.

        One call of the model for all tokens that were closed.
        """
        old, t = self.before, self.before.tokens
        place = np.full(old.n, -1)
        place[rows] = np.arange(len(rows))
        cut = self._cut(rows)
        now, spare = self._pick(cut.kept), self._reserve(rows, cut)
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
            tokens=t,
            inner=inner,
            known=known,
            row=place[now.row][order],
            at=at[order],
            lo=now.lo[order],
            hi=now.hi[order],
            depth=now.depth[order],
            prior=np.where(shut_now, now.weight, old.prior[now.parent])[order],
            ends=shut_now[order],
            fresh=shut_now[order],
            total=cut.total,
            lost=np.logaddexp(old.lost[rows], cut.dropped),
            beam=old.beam,
            reserve=replace(spare, at=behind),
        )
        return covers.merged() if old.beam is None else covers

    def _cut(self, rows: Ints) -> _Cut:
        """The pruning rule, applied to each of these rows; without a beam all candidates go on."""
        total, beam = self.total[rows], self.before.beam
        if beam is None:
            place = np.zeros(self.before.n, dtype=np.bool_)
            place[rows] = True
            some = np.flatnonzero(place[self.row] & (self.token != OVER))
            none = np.full(len(rows), -1)
            return _Cut(some, none, none < 0, total, np.full(len(rows), -np.inf))
        first, last = (np.searchsorted(self.row, rows, side).tolist() for side in ("left", "right"))
        found = [Candidate(*c) for c in zip(self.parent.tolist(), self.token.tolist(), self.weight.tolist())]
        spare = self.before.reserve.weight[rows].tolist()
        cuts = [pruned(found[a:b], t, beam, s) for a, b, t, s in zip(first, last, total.tolist(), spare)]
        return _Cut(
            np.sort(np.array([a + k for a, cut in zip(first, cuts) for k in cut.kept], dtype=np.int64)),
            np.array([-1 if cut.reserve is None else a + cut.reserve for a, cut in zip(first, cuts)]),
            np.array([cut.cleared for cut in cuts], dtype=np.bool_),
            np.array([cut.total for cut in cuts]),
            np.array([cut.dropped for cut in cuts]),
        )

    def _reserve(self, rows: Ints, cut: _Cut) -> Reserve:
        """What these rows have in reserve now, `at` in the states before."""
        old = self.before.reserve.take(rows)
        since = [
            b"" if c else b + bytes([x]) for b, c, x in zip(old.since, cut.cleared, self.byte[rows].tolist())
        ]
        at, token = np.where(cut.cleared, -1, old.at), np.where(cut.cleared, -1, old.token)
        weight = np.where(cut.cleared, -np.inf, old.weight)
        new = np.flatnonzero(cut.reserve >= 0)
        k = cut.reserve[new]
        at[new], token[new], weight[new] = self.before.at[self.parent[k]], self.token[k], self.weight[k]
        return Reserve(at, token, weight, tuple(since))

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
