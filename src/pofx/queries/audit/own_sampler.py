"""The check that a program draws from the distribution that it scores by: frequencies of draws against their p."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.statistics.goodness_of_fit import LEAST, fit_p_value
from pofx.lm.model import LM
from pofx.lm.scorer import Scorer
from pofx.lm.trace import Ints
from pofx.queries.audit.distribution_statistics import has_begin, log_distributions
from pofx.queries.audit.scorer.numbers import read_numbers
from pofx.queries.findings import Check, Finding, Measure

# The number of draws of one token after each prefix, the number of prefixes, and the most tokens or characters of a prefix.
DRAWS, PREFIXES, REACH = 400, 4, 16
# The least p-value that passes: one false alarm in a thousand.
BOUND = 1e-3

Table = tuple[NDArray[np.int64], NDArray[np.float64]]


def own_sampler_finding(lm: LM, paths: Sequence[Ints], seed: int) -> Finding | None:
    """Check draws of the model's own sampler against its next-token distributions; None without such a sampler."""
    cuts = [p[: min(len(p) // 2, REACH)] for p in paths if len(p) > 1]
    prefixes: list[Ints] = [np.array([], dtype=np.int64)] if has_begin(lm) else []
    prefixes = [*prefixes, *cuts][:PREFIXES]
    tables: list[Table] = []
    for k, prefix in enumerate(prefixes):
        drawn = lm.own_draws(prefix.tolist(), DRAWS, seed + k)
        if drawn is None:
            return None
        with np.errstate(over="ignore"):
            p = np.exp(log_distributions(lm.extend(lm.start(1), prefix[None, :]))[0])
        tables.append((np.bincount(drawn, minlength=lm.vocab.size), p / p.sum()))
    return _finding(tables, seed)


def scorer_sampler_finding(scorer: Scorer, heads: Sequence[str], seed: int) -> Finding | None:
    """Check draws of a scorer's sampler against the scorer's numbers; None for a scorer without a sampler.

    The first half of the draws finds the outcomes that are not rare. The frequencies of these outcomes in the second half
    are compared with their numbers.
    """
    if scorer.sample is None:
        return None
    tables: list[Table] = []
    for k, prefix in enumerate(["", *(head[:REACH] for head in heads)][:PREFIXES]):
        drawn = list(scorer.sample(prefix, 2 * DRAWS, seed + k))
        (before,) = read_numbers(scorer, [prefix])
        names = sorted(set(drawn[:DRAWS]))
        spelled = [v for v in names if v]
        after = read_numbers(scorer, [prefix + v for v in spelled])
        logs = {v: found.total - before.total for v, found in zip(spelled, after)}
        if "" in names and before.end is not None:
            logs[""] = before.end
        p = {v: float(np.exp(logp)) for v, logp in logs.items()}
        common = [v for v in sorted(p) if p[v] * DRAWS >= LEAST]
        rest = 1.0 - sum(p[v] for v in common)
        if rest < 0:  # another check reports sums above 1
            continue
        counts = Counter(v if v in common else None for v in drawn[DRAWS:])
        tables.append(
            (np.array([counts[v] for v in [*common, None]]), np.array([*(p[v] for v in common), rest]))
        )
    return _finding(tables, seed)


def _finding(tables: Sequence[Table], seed: int) -> Finding:
    p = fit_p_value(tables, np.random.default_rng([seed, 23]))
    why = (
        f"The model's own sampler must draw tokens as often as their probabilities say; {DRAWS} draws after each of "
        f"{len(tables)} prefixes fit the probabilities with a p-value of {p:.2g}."
    )
    if p < BOUND:
        why += " So the sampler draws from another distribution than the distribution of the scores."
    return Finding(Check.OWN_SAMPLER, "pass" if p >= BOUND else "fail", p, BOUND, Measure.P_VALUE, why)
