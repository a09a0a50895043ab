"""The expansion of hypotheses by one more byte, and the choice of the hypotheses that go on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.byte_ranges import expand_ranges, logsumexp_runs
from pofx.errors import Advice, TooLong
from pofx.lm.state import State
from pofx.lm.trace import Ints
from pofx.transforms.bytewise.hypotheses import END, Hypotheses
from pofx.transforms.bytewise.pruning import OPEN, OVER, Candidate, prune
from pofx.transforms.bytewise.reserve import Reserve
from pofx.transforms.bytewise.sorted_tokens import Logs

# The most numbers of next-token distributions in memory: 1 GB in float32; 5,461 hypotheses with 49,152 tokens.
MOST = 1 << 28


def expand(hypotheses: Hypotheses, byte: Ints) -> Expansion:
    """Extend each text by one byte, or by EOS.

    Where no hypothesis of a text goes on, the token in its reserve goes on: the model reads this token, and the text is
    read again from the place where the token ends. No other call of the model is made.

    Args:
        hypotheses: The hypotheses of n texts.
        byte: The byte that follows each text, `[n]`; `END` for EOS.
    """
    expansion = _expand(hypotheses, byte)
    restarted = np.isneginf(expansion.total)
    while len(dead := np.flatnonzero(np.isneginf(expansion.total) & (expansion.before.reserve.history >= 0))):
        expansion = _expand(_restart(expansion.before, dead), byte)
    return replace(expansion, asked=hypotheses, restarted=restarted)


def _restart(hypotheses: Hypotheses, rows: Ints) -> Hypotheses:
    """Replace the hypotheses of some texts by hypotheses that begin with the token in reserve."""
    t, spare = hypotheses.tokens, hypotheses.reserve.take(rows)
    new = Hypotheses.start(t, len(rows), hypotheses.beam)
    new = replace(
        new,
        histories=t.lm.extend(hypotheses.histories.take(spare.history), spare.token[:, None]),
        spelling_read=np.full(len(rows), np.nan),
        history=np.arange(len(rows)),
        prior=spare.weight,
        total=spare.weight,
        lost=hypotheses.lost[rows],
    )
    size = np.array([len(b) for b in spare.since])
    parts, order = [], []
    for n in np.unique(size):
        same = np.flatnonzero(size == n)
        part = new.take(same)
        for byte in np.array([list(spare.since[k]) for k in same], dtype=np.int64).reshape(len(same), n).T:
            part = expand(part, byte).keep(np.arange(len(same)))
        parts.append(part)
        order.append(rows[same])
    alive = np.setdiff1d(np.arange(hypotheses.n), rows)
    return hypotheses.take(alive).cat(parts).take(np.argsort(np.concatenate([alive, *order])))


def _expand(hypotheses: Hypotheses, byte: Ints) -> Expansion:
    """Extend each text by its byte, without its reserve and without a call of the model."""
    t, logp, base = hypotheses.tokens, hypotheses.histories.logp, hypotheses.base
    history, theirs = hypotheses.history, byte[hypotheses.row]
    over = np.flatnonzero((theirs == END) & hypotheses.ends)
    over_weight = base[over] + logp[history[over], t.end] if len(over) else np.zeros(0)
    lo, hi = t.ranges.narrow(hypotheses.lo, hypotheses.hi, hypotheses.depth, np.minimum(theirs, 255))
    going = np.flatnonzero((lo < hi) & (theirs != END))
    lo, hi, depth = lo[going], hi[going], hypotheses.depth[going] + 1
    n_closed = t.ranges.count_closed(lo, hi, depth)
    which, place = expand_ranges(lo, lo + n_closed)
    parent, token = going[which], t.ranges.ids[place]
    closed_weight = base[parent] + logp[history[parent], token].astype(np.float64)
    lo = lo + n_closed
    open_weight = base[going] + t.ranges.mass(logp, history[going], lo, hi)
    none, all_over = np.zeros(len(parent), dtype=np.int64), np.zeros(len(over), dtype=np.int64)
    expansion = Expansion(
        asked=hypotheses,
        before=hypotheses,
        byte=byte,
        restarted=np.zeros(hypotheses.n, dtype=np.bool_),
        parent=np.concatenate([parent, going, over]),
        token=np.concatenate([token, np.full(len(going), OPEN), np.full(len(over), OVER)]),
        lo=np.concatenate([none, lo, all_over]),
        hi=np.concatenate([np.full(len(parent), t.ranges.size), hi, all_over]),
        depth=np.concatenate([none, depth, all_over]),
        weight=np.concatenate([closed_weight, open_weight, over_weight]),
    )
    return expansion.sorted()


@dataclass(frozen=True, eq=False)
class _Prunings:
    """The decisions of the pruning rule on m texts.

    Attributes:
        kept: Places of the candidates that go on, among the candidates of all texts.
        reserve: The place of the new reserve of each text, `[m]`; −1 for none.
        cleared: Whether the former reserve of a text is dropped, `[m]`.
        total: log of the mass that goes on, `[m]`, nats.
        dropped: log of the mass that is dropped, `[m]`, nats.
    """

    kept: Ints
    reserve: Ints
    cleared: NDArray[np.bool_]
    total: Logs
    dropped: Logs


@dataclass(frozen=True, eq=False)
class Expansion:
    """The candidates that the hypotheses of n texts become after one more byte, before any call of the model.

    Candidates are sorted by text, and the heaviest of a text comes first.

    Attributes:
        asked: The hypotheses that were to be extended.
        before: The hypotheses that were extended: the hypotheses of `asked`, or of a text restarted from its reserve.
        byte: The byte that follows each text, `[n]`; `END` for EOS.
        restarted: Whether no hypothesis of a text went on, `[n]`.
        parent: The hypothesis of `before` that each candidate continues, `[c]`.
        token: The id of the token that the byte closes, `OPEN` where the token stays open, or `OVER`, `[c]`.
        lo: The first place of the open token's range in the sorted vocabulary, `[c]`.
        hi: The place after the last place of the range, `[c]`.
        depth: The number of bytes of the text that the open token shares, `[c]`.
        weight: log of the mass of the candidate, `[c]`, nats.
    """

    asked: Hypotheses
    before: Hypotheses
    byte: Ints
    restarted: NDArray[np.bool_]
    parent: Ints
    token: Ints
    lo: Ints
    hi: Ints
    depth: Ints
    weight: Logs

    @property
    def row(self) -> Ints:
        """The text of each candidate, `[c]`."""
        return self.before.row[self.parent]

    @cached_property
    def total(self) -> Logs:
        """Log of the mass of the candidates of each text, `[n]`, nats: a lower bound of log P(text, byte).

        In the exact sum this mass is P(text, byte) itself.
        """
        return logsumexp_runs(self.weight, np.bincount(self.row, minlength=self.before.n))

    @property
    def most(self) -> Logs:
        """An upper bound of log P(text, byte), `[n]`, nats."""
        return np.logaddexp(self.total, self.before.pruned)

    def sorted(self) -> Expansion:
        """Return the candidates of positive mass, sorted by text and weight."""
        possible = self._pick(np.flatnonzero(self.weight > -np.inf))
        return possible._pick(np.lexsort((-possible.weight, possible.row)))

    def keep(self, rows: Ints) -> Hypotheses:
        """Return the hypotheses of some texts after the pruning rule; one call of the model reads all closed tokens.

        Raises:
            TooLong: The exact sum has too many hypotheses for the memory.
        """
        old, t = self.before, self.before.tokens
        place = np.full(old.n, -1)
        place[rows] = np.arange(len(rows))
        prunings = self._prune(rows)
        now, spare = self._pick(prunings.kept), self._reserve(rows, prunings)
        if len(now.token) * t.lm.vocab.size > MOST:
            raise TooLong(
                f"expected a text of which all tokenisations can be held, got {len(now.token):,} ways to spell "
                f"its first bytes with {t.lm.vocab.size:,} tokens",
                Advice("keep the heaviest histories", "bytewise(lm, beam=5)", "--beam 5", parameter="beam"),
            )
        histories, spelling_read, history, spare_history = now._histories(spare.history)
        closed = now.token >= 0
        order = np.argsort(place[now.row], kind="stable")
        hypotheses = Hypotheses(
            tokens=t,
            histories=histories,
            spelling_read=spelling_read,
            row=place[now.row][order],
            history=history[order],
            lo=now.lo[order],
            hi=now.hi[order],
            depth=now.depth[order],
            prior=np.where(closed, now.weight, old.prior[now.parent])[order],
            ends=closed[order],
            fresh=closed[order],
            total=prunings.total,
            lost=np.logaddexp(old.lost[rows], prunings.dropped),
            beam=old.beam,
            reserve=replace(spare, history=spare_history),
        )
        return hypotheses.merged() if old.beam is None else hypotheses

    def _pick(self, k: Ints) -> Expansion:
        picked: dict[str, Any] = {
            f: getattr(self, f)[k] for f in ("parent", "token", "lo", "hi", "depth", "weight")
        }
        return replace(self, **picked)

    def _prune(self, rows: Ints) -> _Prunings:
        """Apply the pruning rule to each text of `rows`; the exact sum keeps all candidates."""
        total, beam = self.total[rows], self.before.beam
        if beam is None:
            asked = np.zeros(self.before.n, dtype=np.bool_)
            asked[rows] = True
            kept = np.flatnonzero(asked[self.row] & (self.token != OVER))
            none = np.full(len(rows), -1)
            return _Prunings(kept, none, none < 0, total, np.full(len(rows), -np.inf))
        first, last = (np.searchsorted(self.row, rows, side).tolist() for side in ("left", "right"))
        every = [Candidate(*c) for c in zip(self.parent.tolist(), self.token.tolist(), self.weight.tolist())]
        spare = self.before.reserve.weight[rows].tolist()
        each = [prune(every[a:b], t, beam, s) for a, b, t, s in zip(first, last, total.tolist(), spare)]
        return _Prunings(
            np.sort(np.array([a + k for a, p in zip(first, each) for k in p.kept], dtype=np.int64)),
            np.array([-1 if p.reserve is None else a + p.reserve for a, p in zip(first, each)]),
            np.array([p.cleared for p in each], dtype=np.bool_),
            np.array([p.total for p in each]),
            np.array([p.dropped for p in each]),
        )

    def _reserve(self, rows: Ints, prunings: _Prunings) -> Reserve:
        """Return the reserve of each text of `rows`, with the histories of `before`."""
        old, cleared = self.before.reserve.take(rows), prunings.cleared
        since = [
            b"" if c else b + bytes([x])
            for b, c, x in zip(old.since, cleared.tolist(), self.byte[rows].tolist())
        ]
        history, token = np.where(cleared, -1, old.history), np.where(cleared, -1, old.token)
        weight = np.where(cleared, -np.inf, old.weight)
        new = np.flatnonzero(prunings.reserve >= 0)
        k = prunings.reserve[new]
        history[new] = self.before.history[self.parent[k]]
        token[new], weight[new] = self.token[k], self.weight[k]
        return Reserve(history, token, weight, tuple(since))

    def _histories(self, spare: Ints) -> tuple[State, Logs, Ints, Ints]:
        """Return the histories of the candidates and of the reserves, each once.

        Args:
            spare: The history of each reserve, a row of `before.histories`; −1 for none.

        Returns:
            The states of the histories; log(1 − p(control tokens)) after each history, nan where not yet read. Then the
            row of each candidate's history among the states, and the row of each reserve's history, −1 for none.
        """
        old, t = self.before, self.before.tokens
        come_from = old.history[self.parent]
        closed = np.flatnonzero(self.token >= 0)
        still_open = np.flatnonzero(self.token < 0)
        held = np.flatnonzero(spare >= 0)
        history, spare_history = np.zeros(len(self.token), dtype=np.int64), np.full(len(spare), -1)
        same, mine = np.unique(np.concatenate([come_from[still_open], spare[held]]), return_inverse=True)
        history[still_open], spare_history[held] = mine[: len(still_open)], mine[len(still_open) :]
        size = t.lm.vocab.size
        pair, mine = np.unique(come_from[closed] * size + self.token[closed], return_inverse=True)
        history[closed] = mine + len(same)
        spelling_read = np.concatenate([old.spelling[same], np.full(len(pair), np.nan)])
        stay = old.histories.take(same) if len(same) != old.histories.n else old.histories
        if not len(pair):
            return stay, spelling_read, history, spare_history
        longer = t.lm.extend(old.histories.take(pair // size), (pair % size)[:, None])
        return (stay.cat(longer) if len(same) else longer), spelling_read, history, spare_history
