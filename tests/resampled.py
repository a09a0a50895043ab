"""Sequential Monte Carlo as it is usually done, particle by particle: what `pofx.queries.conditioning.particles` is held against.

Each particle draws one token in proportion to p(v) times the twisting function, EOS among them, its weight takes the sum
that it was drawn from, and where the effective number falls below n / 2 all particles are drawn anew (Doucet & Johansen 2011;
Lew et al. 2023). Slow, and of one step at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pofx.algorithms.logspace import logsumexp
from pofx.algorithms.statistics.smc import effective
from pofx.lm.model import LM
from pofx.queries.conditioning.conditioned import _token_condition
from pofx.queries.conditioning.conditions import Condition
from pofx.queries.conditioning.particles import run_particles
from pofx.queries.conditioning.problem import pose_problem
from pofx.queries.conditioning.twisting_function import (
    TokenCondition,
    TwistingFunction,
    fit_pilot,
    twisting_function,
)

Run = Callable[[int, np.random.Generator], float]


def resampled(
    lm: LM, target: TokenCondition, ahead: TwistingFunction, n: int, rng: np.random.Generator
) -> float:
    """log of one unbiased estimate of P(the condition is met), from n particles."""
    assert target.end is not None  # a condition on complete texts
    state = lm.start(n)
    q = np.full(n, target.automaton.dfa.start)
    weight = np.zeros(n)  # log, with the twisting function that was drawn with still in it
    hope = np.zeros(n)  # log of that look-ahead
    over = np.zeros(n, dtype=bool)
    for t in range(target.max_tokens + 1):
        going = np.flatnonzero(~over & np.isfinite(weight))
        if not len(going):
            break
        worth = np.asarray(state.logp, dtype=np.float64).copy()
        end = np.where(target.may_stop(t)[q], worth[:, target.end], -np.inf)
        for k in going:
            worth[k] = (
                worth[k] + ahead.log_h(t + 1, target.automaton.next_states(int(q[k])))
                if t < target.max_tokens
                else -np.inf
            )
            worth[k, target.end] = end[k]
        token = np.full(n, target.end)
        for k in going:
            total = logsumexp(worth[k])
            weight[k] += total - hope[k]
            if not np.isfinite(total):
                continue
            p = np.exp(worth[k] - total)
            token[k] = rng.choice(len(p), p=p / p.sum())
            if token[k] == target.end:
                over[k], hope[k] = True, 0.0
            else:
                hope[k] = worth[k, token[k]] - state.logp[k, token[k]]
                q[k] = target.automaton.next_states(int(q[k]))[token[k]]
        # Who is over is extended, too, and never looked at again.
        state = lm.extend(state, np.where(token == target.end, 0, token)[:, None])
        if np.isfinite(weight).any() and effective(weight) < n / 2:
            mean = logsumexp(weight) - math.log(n)
            share = np.cumsum(np.exp(weight - logsumexp(weight)))
            at = np.minimum(np.searchsorted(share, (np.arange(n) + rng.random()) / n * share[-1]), n - 1)
            state, q, over, hope = state.take(at), q[at], over[at], hope[at]
            weight = np.full(n, mean)
    return float(logsumexp(np.where(over, weight, -np.inf)) - math.log(n))


def two_ways(lm: LM, on: Condition, most: int, seed: int = 0) -> tuple[Run, Run]:
    """One run of n particles, by thinning and by resampling, of the same question with the same look-ahead."""
    problem = pose_problem(lm, on.automaton, str(on), "", b"", "exact", True, most, on.tokens)
    target = _token_condition(problem, problem.dfa, True, problem.max_tokens, problem.tokens)
    ahead = twisting_function(target, fit_pilot(lm, target, np.random.default_rng(seed)))

    def thinning(n: int, rng: np.random.Generator) -> float:
        return float(run_particles(lm, target, ahead, n, [rng]).evidence[0])

    def resampling(n: int, rng: np.random.Generator) -> float:
        return resampled(lm, target, ahead, n, rng)

    return thinning, resampling


def relative_errors(run: Run, n: int, runs: int, z: float) -> tuple[float, float]:
    """Mean of Ẑ / Z − 1, and standard deviation of Ẑ / Z, over runs."""
    found = np.exp([run(n, np.random.default_rng([n, k])) - z for k in range(runs)])
    return float(found.mean() - 1), float(found.std(ddof=1))
