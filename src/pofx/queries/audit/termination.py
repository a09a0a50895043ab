"""The check of P(length > L), which says whether, and how soon, the texts of a model end."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pofx.algorithms.statistics.inversion import inverse
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.queries.audit.distribution_statistics import log_distributions
from pofx.queries.audit.held_out import budget_for, longest_path
from pofx.queries.findings import Check, CheckVerdict, Finding, Measure, Series

# The most draws × tokens × V: 300 M entries of distributions take about 4 s of exp and cumsum. Up to V = 9,000 this bound
# allows the full length.
CELLS = 300_000_000
# An L that would be reached after this time, in seconds, is left out, since a step of a large model can take long.
SECONDS = 8.0
LEAK = 1e-6


@dataclass(frozen=True)
class Survival:
    """P(length > L) of a model's texts.

    Attributes:
        lengths: The lengths L, in tokens.
        alive: P(length > L) for each L.
        se: The standard error of each probability; 0 where the probability is exact.
        never: The limit of P(length > L), if this limit is known; else None.
        draws: The number of draws of the estimate; 0 where `alive` is exact.
    """

    lengths: tuple[int, ...]
    alive: tuple[float, ...]
    se: tuple[float, ...]
    never: float | None
    draws: int

    @property
    def exact(self) -> bool:
        """Whether the probabilities are computed, not estimated."""
        return self.draws == 0


def choose_lengths(lm: LM) -> tuple[int, ...]:
    """Return 1, 2, 4, … up to 512; fewer for a large vocabulary or a short window."""
    budget = budget_for(lm)
    most = min(budget.alive, max(64, CELLS // (budget.lives * max(lm.vocab.size, 1))))
    room = longest_path(lm)
    if room is not None:
        most = min(most, max(room - 1, 1))
    return tuple(2**k for k in range(most.bit_length()))


def estimate_survival(
    lm: LM, state: State, lengths: Sequence[int], rng: np.random.Generator, seconds: float = math.inf
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Estimate Π_{i ≤ L} (1 − p(EOS | x_<i)) without bias, by its mean over draws x that never take EOS.

    The mean of these probabilities is less noisy than the share of draws longer than L (Rao–Blackwell).

    Args:
        lm: The model, with EOS.
        state: The rows to begin from, one a draw.
        lengths: The lengths L.
        rng: Generator of the draws.
        seconds: Wall time; lengths that would take longer are left out. The other numbers do not depend on the time.

    Returns:
        Means and standard errors, for the lengths that were reached.

    Right: `estimate_survival(lm, lm.start(128), [1, 2, 4], rng)`. Wrong: for a model without EOS, where P is 1.
    """
    end = lm.vocab.end
    assert end is not None  # noqa: S101  (ours: the caller asks only where there is an EOS)
    began = time.monotonic()
    until = began + seconds
    weight, live = np.ones(state.n), np.arange(state.n)
    means: dict[int, float] = {}
    errors: dict[int, float] = {}
    for step in range(max(lengths) + 1):
        with np.errstate(all="ignore"):
            p = np.nan_to_num(np.exp(log_distributions(state)), nan=0.0, posinf=0.0)
        ending, total = p[:, end].copy(), p.sum(axis=1)
        p[:, end] = 0.0
        # The sum over the other tokens equals 1 − p(EOS) where rows sum to 1, and is exact where p(EOS) is close to 1.
        others = p.sum(axis=1)
        weight[live] *= np.where(total > 0, others / np.where(total > 0, others + ending, 1.0), 0.0)
        if step in lengths:
            means[step] = float(weight.mean())
            errors[step] = float(weight.std(ddof=1) / np.sqrt(len(weight))) if len(weight) > 1 else 0.0
            now = time.monotonic()
            if now + (now - began) > until:  # the next L is twice as long, and takes the same time again
                break
        going = np.flatnonzero(others > 0)
        if step == max(lengths):
            break
        if not len(going):
            rest = [n for n in lengths if n > step]
            means, errors = means | dict.fromkeys(rest, 0.0), errors | dict.fromkeys(rest, 0.0)
            break
        ids = inverse(p[going], rng.random(state.n)[going])
        live, state = live[going], state.take(going) if len(going) < state.n else state
        state = lm.extend(state, ids[:, None])
    return tuple(means.values()), tuple(errors.values())


def measure_survival(lm: LM, state: State, given: bool, seed: int) -> Survival:
    """Compute P(length > L) where the model can and texts begin at x0; else estimate it from one row of `state`.

    Args:
        lm: The model.
        state: The state after x0, or after the prefix; only its first row counts.
        given: Whether texts are conditioned on a prefix in place of x0.
        seed: Seed of the draws.
    """
    lengths = choose_lengths(lm)
    known = None if given else lm.termination(lengths)
    if known is not None and known.alive:
        some = lengths[: len(known.alive)]
        return Survival(some, known.alive, (0.0,) * len(some), known.never, 0)
    lives = budget_for(lm).lives
    start = state.take(np.zeros(lives, dtype=np.int64))
    means, errors = estimate_survival(lm, start, lengths, np.random.default_rng([seed, 3]), SECONDS)
    return Survival(lengths[: len(means)], means, errors, None if known is None else known.never, lives)


def termination_finding(found: Survival | None, where: str) -> Finding:
    """Check that texts end; fails for a model without EOS, where `found` is None."""
    check = Check.ALIVE
    if found is None:
        return Finding(
            check, "fail", 1.0, None, Measure.PROBABILITY,
            "There is no EOS, so P(length > L) = 1 for every L: no text is ever complete, and p has no mass on finite "
            "strings.",
        )  # fmt: skip
    last, longest = found.alive[-1], found.lengths[-1]
    chart = Series(
        "P(length > L)", "probability", "line", tuple((str(n), a) for n, a in zip(found.lengths, found.alive))
    )
    how = "exact" if found.exact else f"± {found.se[-1]:.2g}, estimated from {found.draws} draws without EOS"
    found_last = f"P(length > {longest}) = {last:.3g} ({how}){where}."
    if found.never is not None and found.never > LEAK:
        why = (
            f"Exactly {found.never:.6g} of the mass lies on texts that never end: some histories can no "
            f"longer reach EOS, so Σ p(x) = {1 - found.never:.6g}. {found_last}"
        )
        return Finding(check, "fail", found.never, LEAK, Measure.PROBABILITY, why, chart)
    if found.never is not None:
        why = (
            f"{found_last} P(never ends) is {found.never:.3g}, exactly: every history has a way to EOS, and "
            "finitely many such histories cannot go on for ever."
        )
        return Finding(check, "pass", found.never, LEAK, Measure.PROBABILITY, why, chart)
    before = found.alive[-2] if len(found.alive) > 1 else 1.0
    bound = max(0.01, 0.999 * before)
    outcome: CheckVerdict = "pass" if last <= bound else "warn"
    why = f"{found_last} Texts must all end sooner or later, or p does not sum to 1; " + (
        "P(length > L) keeps falling."
        if outcome == "pass"
        else f"from L = {longest // 2} on hardly any text ends, which may be a leak, or an EOS that is hardly learned."
    )
    return Finding(check, outcome, last, bound, Measure.PROBABILITY, why, chart)
