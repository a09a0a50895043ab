"""log p of a string, summed over all its tokenisations."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import logsumexp
from pofx.lm.model import LM
from pofx.queries.marginal.exact import sum_by_state
from pofx.queries.marginal.lattice import Lattice, build_lattice
from pofx.queries.marginal.tokenisations import Tokenisation, Tokens, build_tree, draw_unknown, find_likeliest
from pofx.queries.scoring.score import Scored, score
from pofx.queries.scoring.terms import Terms
from pofx.units import bits
from pofx.values import check_real_number, check_whole_number

# Draws that take their steps together: with V = 262,144, their laws are 34 MB as float32.
TOGETHER = 32
# The first batch; each one after is twice as large, up to the above. Small ones first, as what one meets, the next need
# not estimate.
FIRST = 8


@dataclass(frozen=True)
class Marginal:
    """log Σ p(t) over the tokenisations t of a text, EOS included; all in nats unless a name says otherwise.

    kind: "exact"; "estimate"; or "lower", where there was no time for draws. lower: log of the sum over `found`
    distinct tokenisations, certain, up to rounding. estimate: log of an unbiased estimate of the sum; it may lie below
    `lower`. se: its standard error, relative to the sum, so in nats to first order; ess: effective sample size of the
    `draws`. canonical: log p of the tokenisation that `encode` gives. calls: passes or steps of the model.
    """

    text: str | bytes
    kind: Literal["exact", "estimate", "lower"]
    lower: float
    estimate: float | None
    se: float | None
    ess: float | None
    draws: int
    found: int
    canonical: float
    calls: int
    terms: Terms

    @property
    def total(self) -> float:
        """The estimate, or what is certain where there is none or less."""
        return self.lower if self.estimate is None else max(self.estimate, self.lower)

    @property
    def gap_bits(self) -> float:
        """What the canonical tokenisation alone leaves out of log p: `total` − `canonical`, in bits; 0 for none."""
        return 0.0 if self.total == self.canonical else bits(self.total - self.canonical)

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, by Student's t of the effective draws, on the scale of logarithms; its lower end is at least what is
        certain. Wider above: weights are skewed, so an estimate that met no heavy one is too low, and its se too small.
        (lower, inf) without draws."""
        if self.estimate is None or self.se is None:
            return self.lower, math.inf
        # The quantile of t with ν degrees of freedom: 9, 4.4 and 3.3 for ν of 1, 2 and 3 (Cornish and Fisher, rounded up).
        degrees = max((self.ess or 0.0) - 1, 0.5)
        wide = self.se * 1.96 * (1 + 1.21 / degrees + 2.5 / degrees**2)
        high = self.estimate + wide * (1 + 1 / degrees)
        return max(self.lower, self.estimate - wide), max(self.lower, high)


def marginal(
    lm: LM,
    text: str | bytes,
    beam: int = 8,
    draws: int = 128,
    calls: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
) -> Marginal:
    """log p(text) = log Σ p(t) · p(EOS | t) over all sequences t of tokens that spell it, nats.

    Exact where a text has one spelling; where the law remembers few tokens (`LM.memory`), by a sum over the last so
    many; and where the beam keeps them all. Else p = Σ p(t) over those the beam kept, plus an estimate of the others
    by importance sampling: draws token by token, in proportion to p among what fits the rest of the text and is not yet
    known, weighed by the mass of what fitted. What one batch of draws meets is known to the next, and counts for `lower`.

    beam: beginnings kept at each byte. draws: particles, up to 32 of which take a step in one call. calls, seconds:
    the beam is given up, and no further particles start, when the model was called so often, or so much time has
    passed; the canonical tokenisation is always scored. The errors of `score`; `NoEOS` for a model without EOS.

    Cao and Rimell 2021; Geh et al. 2024, on why there is no exact sum in general.

    Right: `marginal(lm, " unbelievable", seed=1).gap_bits`. Wrong: adding `canonical` and `estimate`: both are of the
    whole text, the second contains the first.
    """
    beam, draws, seed = (
        check_whole_number("beam", beam, 1),
        check_whole_number("draws", draws),
        check_whole_number("seed", seed),
    )
    calls = None if calls is None else check_whole_number("calls", calls, 1)
    seconds = None if seconds is None else check_real_number("seconds", seconds, 0, above=True)
    lm.vocab.encode(
        lm.vocab.read(text)[0]
    )  # `score` may read a word as one of a class, whose probability is not the string's
    scored = score(lm, [text])[0]
    budget = _Budget(calls, None if seconds is None else time.monotonic() + seconds)
    budget.spent += 1

    if lm.interval:  # of a law that is a sum with terms left out
        return _record(scored, budget, "lower", scored.interval[0], 1)
    exact = _exact(lm, scored, beam, budget)
    if isinstance(exact, _Sum):
        return _record(scored, budget, "exact", exact.value, exact.n, exact.value, 0.0)
    spelled, kept = exact
    return _sampled(lm, scored, spelled, kept, draws, budget, np.random.default_rng(seed))


@dataclass
class _Budget:
    """How often the model was called, and when to stop. Local to one call of `marginal`."""

    most: int | None
    until: float | None
    spent: int = 0

    def left(self) -> bool:
        """Whether there is some."""
        in_calls = self.most is None or self.spent < self.most
        return in_calls and (self.until is None or time.monotonic() < self.until)

    def one_more(self) -> bool:
        """Whether one more call may be made, which then counts."""
        granted = self.left()
        self.spent += granted
        return granted


@dataclass(frozen=True)
class _Sum:
    value: float
    n: int


def _exact(
    lm: LM, scored: Scored, beam: int, budget: _Budget
) -> _Sum | tuple[Lattice, tuple[Tokenisation, ...]]:
    """The sum, where it can be had; else the lattice and what the beam found."""
    canonical = tuple(scored.tokens.tolist())
    if lm.vocab.unambiguous:
        return _Sum(scored.total, 1)
    spelled = build_lattice(lm.vocab, canonical)
    if lm.memory is not None:
        by_state = sum_by_state(lm, spelled, lm.memory)
        if by_state is not None:
            budget.spent += by_state[1]
            return _Sum(
                max(by_state[0], scored.total), spelled.paths
            )  # a sum in another order may be a rounding less
    kept = find_likeliest(lm, spelled, canonical, beam, budget.one_more)
    if kept is not None and kept.all:
        every = {**_logp(kept.rows), canonical: scored.total}
        return _Sum(_log_sum(every.values()), len(every))
    return spelled, () if kept is None else kept.rows


@dataclass(frozen=True, eq=False)
class _Batch:
    """Draws behind which the same tokenisations were known: log Σ p of these, and log of missing · W of each draw."""

    sure: float
    weights: NDArray[np.float64]


def _sampled(
    lm: LM,
    scored: Scored,
    spelled: Lattice,
    kept: tuple[Tokenisation, ...],
    draws: int,
    budget: _Budget,
    rng: np.random.Generator,
) -> Marginal:
    """Σ p over what is known, and an estimate of the rest; what a batch has met is known to the next one.

    Each batch's estimate is unbiased, whatever the ones before have met, so their mean is, too.
    """
    known = {row.tokens: row for row in kept}
    batches: list[_Batch] = []
    done = 0
    while done < draws and budget.left():
        root = build_tree(known.values(), spelled)
        if not root.missing:
            value = max(_log_sum(_logp(known.values()).values()), scored.total)
            return _record(scored, budget, "exact", value, len(known), value, 0.0, draws=done)
        n = min(TOGETHER, FIRST << len(batches), draws - done)
        if draws - done - n == 1:  # one draw alone has no variance
            n += 1
        rows, log_w, calls = draw_unknown(lm, spelled, root, n, rng)
        budget.spent += calls
        sure = _log_sum(_logp(known.values()).values())
        batches.append(_Batch(sure, log_w + math.log(root.missing)))
        known |= {row.tokens: row for row in rows if row.logp > -math.inf}
        done += n
    lower = _log_sum({**_logp(known.values()), tuple(scored.tokens.tolist()): scored.total}.values())
    lower, found = max(lower, scored.total), len(known)
    if done < 2:
        return _record(scored, budget, "lower", lower, max(found, 1), draws=done)
    estimate, se, ess = _mean(batches)
    return _record(scored, budget, "estimate", lower, found, estimate, se, ess, done)


def _mean(batches: Sequence[_Batch]) -> tuple[float, float, float]:
    """log of the mean of the batches' estimates, a draw a vote; its relative standard error; and the ESS of all draws."""
    # In units of the largest number, so that nothing vanishes.
    unit = max(max(b.sure, float(b.weights.max())) for b in batches)
    n = sum(len(b.weights) for b in batches)
    if unit == -math.inf:
        return unit, 0.0, 0.0
    p = variance = 0.0
    for b in batches:
        w, share = np.exp(b.weights - unit), len(b.weights) / n
        p += share * (math.exp(b.sure - unit) + float(w.mean()))
        variance += share**2 * float(w.var(ddof=1)) / len(w)
    every = np.exp(np.concatenate([b.weights for b in batches]) - unit)
    ess = float(every.sum() ** 2 / np.sum(every**2)) if np.any(every**2 > 0) else 0.0
    return unit + math.log(p), math.sqrt(variance) / p, ess


def _logp(rows: Iterable[Tokenisation]) -> dict[Tokens, float]:
    return {row.tokens: row.logp for row in rows}


def _record(
    scored: Scored,
    budget: _Budget,
    kind: Literal["exact", "estimate", "lower"],
    lower: float,
    found: int,
    estimate: float | None = None,
    se: float | None = None,
    ess: float | None = None,
    draws: int = 0,
) -> Marginal:
    terms = replace(scored.terms, kind=kind)
    return Marginal(
        scored.text, kind, lower, estimate, se, ess, draws, found, scored.total, budget.spent, terms
    )


def _log_sum(values: Iterable[float]) -> float:
    held = np.array(list(values))
    return float(logsumexp(held)) if len(held) else -math.inf
