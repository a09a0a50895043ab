"""Log p of a string, summed over all its tokenisations."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import logsumexp
from pofx.interactive.shown import Shown
from pofx.lm.model import LM
from pofx.queries.marginal.exact import sum_by_state
from pofx.queries.marginal.lattice import Lattice, build_lattice
from pofx.queries.marginal.tokenisation_beam import Tokenisation, Tokens, find_likeliest
from pofx.queries.marginal.tokenisation_draws import build_tree, draw_unknown
from pofx.queries.scoring.score import Scored, score
from pofx.queries.scoring.terms import Terms
from pofx.units import bits
from pofx.values import check_real_number, check_whole_number

# The most draws that take their steps together. With V = 262,144 their next-token distributions are 34 MB of float32.
TOGETHER = 32
# The size of the first batch. Each later batch is twice as large, up to TOGETHER. Small batches come first since every batch
# excludes the tokenisations that earlier batches have found.
FIRST = 8


@dataclass(frozen=True, repr=False)
class Marginal(Shown):
    """Log Σ p(t) over the tokenisations t of a text, EOS included.

    Attributes:
        text: The text.
        kind: "exact"; "estimate"; or "lower", a lower bound, where no draws were made.
        lower: Log of the sum over `found` distinct tokenisations, nats: certain, up to rounding.
        estimate: Log of an unbiased estimate of the sum, nats; may lie below `lower`. An exact sum is its own estimate.
            None where the sum is not exact and there are no draws.
        se: The standard error of the estimate, divided by the sum: about the error of the log, in nats. 0 where the sum is
            exact; None where the sum is not exact and there are no draws.
        ess: The effective number of draws; None without draws.
        draws: The number of draws.
        found: The number of distinct tokenisations that were summed.
        canonical: log p of the tokenisation of `encode`, nats.
        calls: The number of passes and steps of the model.
        terms: The terms that were counted, and their rules.

    Right: `marginal(lm, text).gap_bits`. Wrong: adding `lower` and `estimate`, both of which are of the whole text.
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
        """The estimate, but at least `lower`, nats."""
        return self.lower if self.estimate is None else max(self.estimate, self.lower)

    @property
    def gap_bits(self) -> float:
        """The mass that the canonical tokenisation leaves out: `total` − `canonical`, in bits."""
        return 0.0 if self.total == self.canonical else bits(self.total - self.canonical)

    @property
    def interval(self) -> tuple[float, float]:
        """A 95 % interval of log p(text), nats; (lower, inf) without draws, (lower, lower) where exact.

        The half-width is `se` times a quantile of Student's t with about `ess` − 1 degrees of freedom. The lower end is at
        least `lower`. The interval is wider above, since weights are skewed: an estimate without a heavy draw is too low,
        and its standard error is too small.
        """
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
    """Compute log p(text) = log Σ p(t) · p(EOS | t) over all token sequences t that spell the text, nats.

    The sum is exact in three cases. The text has one spelling. Or the model depends on few last tokens (`LM.memory`), and
    the sum is over histories. Or all tokenisations are in the beam. Otherwise the result is the sum over the tokenisations
    in the beam, plus an estimate of the sum over all others by importance sampling. A draw goes token by token, in
    proportion to p among the tokens that fit the rest of the text and lead to new tokenisations. The weight of a draw is the
    product of the masses of the tokens that fit. Tokenisations that were drawn count for `lower`, and later batches of draws
    leave them out. Geh et al. 2024 explain why no exact sum is feasible in general; see also Cao and Rimell 2021.

    Args:
        lm: The model.
        text: The text.
        beam: The most beginnings of tokenisations at each byte, at least 1.
        draws: The most draws; up to 32 draws take a step in one call.
        calls: The number of calls of the model after which the beam stops and no further draws start; None for no limit.
        seconds: The time after which the beam stops and no further draws start; None for no limit.
        seed: Seed of the draws.

    Returns:
        The sum, its kind and its bounds. The sum always includes the canonical tokenisation.

    Raises:
        NoEOS: Texts of the model never end.
        PofxError: The errors of `score`.

    Right: `marginal(lm, " unbelievable", seed=1).gap_bits`. Wrong: adding `canonical` and `estimate`, since `estimate`
    includes `canonical`.
    """
    beam, draws, seed = (
        check_whole_number("beam", beam, 1),
        check_whole_number("draws", draws),
        check_whole_number("seed", seed),
    )
    calls = None if calls is None else check_whole_number("calls", calls, 1)
    seconds = None if seconds is None else check_real_number("seconds", seconds, 0, above=True)
    # `score` may read a word as a member of a class, whose probability is not that of the word. `encode` refuses the word.
    lm.vocab.encode(lm.vocab.read(text)[0])
    scored = score(lm, [text])[0]
    budget = _Budget(calls, None if seconds is None else time.monotonic() + seconds)
    budget.spent += 1

    if lm.interval:  # the model leaves out terms of its sums
        return _record(scored, budget, "lower", scored.interval[0], 1)
    exact = _exact(lm, scored, beam, budget)
    if isinstance(exact, _Sum):
        return _record(scored, budget, "exact", exact.value, exact.n, exact.value, 0.0)
    spelled, kept = exact
    return _estimate(lm, scored, spelled, kept, draws, budget, np.random.default_rng(seed))


@dataclass
class _Budget:
    """The calls of the model so far, and the limits of calls and time. Local to one call of `marginal`."""

    most: int | None
    until: float | None
    spent: int = 0

    def left(self) -> bool:
        """Return whether a call is left."""
        in_calls = self.most is None or self.spent < self.most
        return in_calls and (self.until is None or time.monotonic() < self.until)

    def one_more(self) -> bool:
        """Return whether one more call may be made; if so, count it."""
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
    """Return the exact sum, where feasible; else the lattice and the tokenisations in the beam."""
    canonical = tuple(scored.tokens.tolist())
    if lm.vocab.unambiguous:
        return _Sum(scored.total, 1)
    spelled = build_lattice(lm.vocab, canonical)
    if lm.memory is not None:
        by_state = sum_by_state(lm, spelled, lm.memory)
        if by_state is not None:
            budget.spent += by_state[1]
            # A sum in another order may be smaller by a rounding error.
            return _Sum(max(by_state[0], scored.total), spelled.paths)
    kept = find_likeliest(lm, spelled, canonical, beam, budget.one_more)
    if kept is not None and kept.all:
        every = {**_logp(kept.rows), canonical: scored.total}
        return _Sum(_sum_logs(every.values()), len(every))
    return spelled, () if kept is None else kept.rows


@dataclass(frozen=True, eq=False)
class _Batch:
    """Draws that left out the same tokenisations, which were known before.

    Attributes:
        sure: log Σ p of the known tokenisations, nats.
        weights: log(missing · W) of each draw, nats.
    """

    sure: float
    weights: NDArray[np.float64]


def _estimate(
    lm: LM,
    scored: Scored,
    spelled: Lattice,
    kept: tuple[Tokenisation, ...],
    draws: int,
    budget: _Budget,
    rng: np.random.Generator,
) -> Marginal:
    """Sum p over the known tokenisations, and estimate the sum over the others.

    A batch of draws leaves out the tokenisations that earlier batches have found. The estimate of each batch is unbiased,
    given the earlier batches, so the mean of these estimates is unbiased, too.
    """
    known = {row.tokens: row for row in kept}
    batches: list[_Batch] = []
    done = 0
    while done < draws and budget.left():
        root = build_tree(known.values(), spelled)
        if not root.missing:
            value = max(_sum_logs(_logp(known.values()).values()), scored.total)
            return _record(scored, budget, "exact", value, len(known), value, 0.0, draws=done)
        n = min(TOGETHER, FIRST << len(batches), draws - done)
        if draws - done - n == 1:  # a batch of one draw has no variance
            n += 1
        rows, log_w, calls = draw_unknown(lm, spelled, root, n, rng)
        budget.spent += calls
        sure = _sum_logs(_logp(known.values()).values())
        batches.append(_Batch(sure, log_w + math.log(root.missing)))
        known |= {row.tokens: row for row in rows if row.logp > -math.inf}
        done += n
    lower = _sum_logs({**_logp(known.values()), tuple(scored.tokens.tolist()): scored.total}.values())
    lower, found = max(lower, scored.total), len(known)
    if done < 2:
        return _record(scored, budget, "lower", lower, max(found, 1), draws=done)
    estimate, se, ess = _combine(batches)
    return _record(scored, budget, "estimate", lower, found, estimate, se, ess, done)


def _combine(batches: Sequence[_Batch]) -> tuple[float, float, float]:
    """Return log of the mean estimate, weighted by draws; its relative standard error; and the ESS of all draws."""
    # The unit is the largest number, so that no term underflows.
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


def _sum_logs(values: Iterable[float]) -> float:
    logs = np.array(list(values))
    return float(logsumexp(logs)) if len(logs) else -math.inf
