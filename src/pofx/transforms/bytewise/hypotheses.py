"""Hypotheses: the ways in which closed tokens and one open token can spell the bytes so far, of many texts in arrays."""

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
from pofx.transforms.bytewise.sorted_tokens import Logs, SortedVocabulary

# The id of EOS in a distribution over bytes.
END = 256


@dataclass(frozen=True, eq=False)
class Hypotheses:
    """The hypotheses of n texts, sorted by text: arrays of h numbers, one a hypothesis, and of n numbers, one a text.

    Attributes:
        tokens: The token model, and its vocabulary sorted by bytes.
        histories: The states of the token histories, a row a history.
        spelling_read: log(1 − p(control tokens)) after each history, nats; nan where its distribution is not yet read.
        row: The text of each hypothesis, `[h]`.
        history: The row of `histories` of each hypothesis, `[h]`; several hypotheses may share a history.
        lo: The first place of the open token's range in the sorted vocabulary, `[h]`.
        hi: The place after the last place of the range, `[h]`.
        depth: The number of bytes of the text that the open token shares, `[h]`.
        prior: log P(history), `[h]`, nats.
        ends: Whether the text may end here, `[h]`; then depth is 0.
        fresh: Whether no byte of the open token has been read yet, `[h]`.
        total: log of the mass of all hypotheses of a text, `[n]`, nats.
        lost: log of the mass that was dropped so far, `[n]`, nats.
        beam: The most histories of a text; None for all histories.
        reserve: The closed tokens that wait in reserve, unread, one a text.
    """

    tokens: SortedVocabulary
    histories: State
    spelling_read: Logs
    row: Ints
    history: Ints
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
    def start(cls, tokens: SortedVocabulary, n: int, beam: int | None) -> Hypotheses:
        """Return the hypotheses of n empty texts, after which any token may follow."""
        zero, yes = np.zeros(n, dtype=np.int64), np.ones(n, dtype=np.bool_)
        return cls(
            tokens=tokens,
            histories=tokens.lm.start(1),
            spelling_read=np.array([np.nan]),
            row=np.arange(n, dtype=np.int64),
            history=zero,
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
        """The number of texts."""
        return len(self.total)

    def take(self, rows: Ints) -> Hypotheses:
        """Return the hypotheses of the texts `rows`; the histories are shared, not copied."""
        first = np.searchsorted(self.row, np.arange(self.n + 1))
        row, k = expand_ranges(first[:-1][rows], first[1:][rows])
        picked: dict[str, Any] = {
            f: getattr(self, f)[k] for f in ("history", "lo", "hi", "depth", "prior", "ends", "fresh")
        }
        total, lost = self.total[rows], self.lost[rows]
        return replace(self, row=row, total=total, lost=lost, reserve=self.reserve.take(rows), **picked)

    def cat(self, others: Sequence[Hypotheses]) -> Hypotheses:
        """Return the hypotheses of these texts, followed by the hypotheses of the other texts."""
        every = [self, *others]
        histories = self.histories.cat(*[c.histories for c in others])
        first_history = np.cumsum([0, *[c.histories.n for c in every]])
        first_row = np.cumsum([0, *[c.n for c in every]])
        concatenated: dict[str, Any] = {
            f: np.concatenate([getattr(c, f) for c in every])
            for f in ("lo", "hi", "depth", "prior", "ends", "fresh", "total", "lost", "spelling_read")
        }
        return replace(
            self,
            histories=histories,
            history=np.concatenate([c.history + k for c, k in zip(every, first_history)]),
            row=np.concatenate([c.row + k for c, k in zip(every, first_row)]),
            reserve=self.reserve.cat([c.reserve for c in others], first_history.tolist()),
            **concatenated,
        )

    def merged(self) -> Hypotheses:
        """Merge hypotheses with the same future, such as those of n-gram histories that end with the same tokens."""
        sufficient = self.tokens.lm.sufficient(self.histories)
        if sufficient is None or not len(self.row):
            return self
        _, first, same = np.unique(sufficient, axis=0, return_index=True, return_inverse=True)
        history = same.reshape(-1)[self.history]
        every = np.stack([self.row, history, self.lo, self.hi, self.depth, self.ends, self.fresh], axis=1)
        _, k, which = np.unique(every, axis=0, return_index=True, return_inverse=True)
        if len(k) == len(self.row):
            return self
        order = np.argsort(which.reshape(-1), kind="stable")
        prior = logsumexp_runs(self.prior[order], np.bincount(which.reshape(-1)))
        picked: dict[str, Any] = {
            f: getattr(self, f)[k] for f in ("row", "lo", "hi", "depth", "ends", "fresh")
        }
        return replace(
            self,
            histories=self.histories.take(first),
            spelling_read=self.spelling_read[first],
            history=history[k],
            prior=prior,
            **picked,
        )

    @cached_property
    def spelling(self) -> Logs:
        """log(1 − p(control tokens)) after each history, `[m]`, nats."""
        out = self.spelling_read.copy()
        new = np.flatnonzero(np.isnan(out))
        if len(new):
            out[new] = self.tokens.spelling(self.histories.logp, new)
        return out

    @property
    def pruned(self) -> Logs:
        """Log of the mass that is not among the hypotheses, `[n]`, nats: dropped, or in reserve."""
        return np.logaddexp(self.lost, self.reserve.weight)

    @cached_property
    def uniform(self) -> Logs:
        """The uniform share of each distribution, `[n]`, which stands for the mass in reserve."""
        return uniform_share(self.total, self.reserve.weight)

    @property
    def size(self) -> int:
        """The number of outcomes of a distribution: 256 bytes, and EOS where the model has an EOS."""
        return END + (self.tokens.end is not None)

    @property
    def base(self) -> Logs:
        """Logarithm of P(history) / (1 − p(control tokens)), `[h]`, nats.

        The log mass of a hypothesis is this number plus the log mass of the open token's range.
        """
        with np.errstate(invalid="ignore"):
            base: Logs = self.prior - self.spelling[self.history]
        return np.where(np.isfinite(base), base, -np.inf)

    @property
    def leak(self) -> Logs:
        """p(control token | text so far), `[n]`: the mass of control tokens after histories that have just closed."""
        out = np.zeros(self.n)
        k = np.flatnonzero(self.fresh & np.isfinite(self.total[self.row]))
        share = np.exp(self.prior[k] - self.total[self.row[k]])
        np.add.at(out, self.row[k], share * -np.expm1(self.spelling[self.history[k]]))
        return out

    def logp(self) -> Logs:
        """Return the distribution of the next byte: log p(byte | text), `[n, 256]`, or `[n, 257]` with EOS, nats.

        After a text without hypotheses the distribution is uniform.
        """
        return with_uniform(self.kept_logp, self.uniform[:, None], self.size)

    @cached_property
    def kept_logp(self) -> Logs:
        """The next-byte distribution of the hypotheses alone, `[n, size]`, nats: without the uniform share."""
        logp, base = self.histories.logp, self.base
        each = np.full((len(self.row), self.size), -np.inf)
        each[:, :END] = self.tokens.ranges.next_bytes(logp, self.history, self.lo, self.hi, self.depth)
        if self.tokens.end is not None:
            each[:, END] = np.where(self.ends, logp[self.history, self.tokens.end], -np.inf)
        each += base[:, None]
        out = np.full((self.n, self.size), -np.inf)
        rows, starts = np.unique(self.row, return_index=True)
        if len(rows):
            out[rows] = np.logaddexp.reduceat(each, starts, axis=0)
        whole = logsumexp(out)[:, None]
        dead = np.isneginf(whole)
        return np.where(dead, -np.log(self.size), out - np.where(dead, 0.0, whole))
