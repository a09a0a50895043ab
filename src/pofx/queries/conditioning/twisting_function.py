"""The twisting function: the probability that a condition will be met, under a crude model of the tokens to come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.byte_ranges import logsumexp_runs
from pofx.algorithms.statistics.inversion import inverse
from pofx.lm.model import LM
from pofx.lm.trace import Ints
from pofx.queries.conditioning.token_automaton import TokenAutomaton

Logs = NDArray[np.float64]

# The largest vocabulary for a pilot distribution that depends on the last token: a table of 1,024² takes 8 MB.
PAIRS = 1_024
# The most numbers of a table: 256 MB. For a larger table the tokens of the pilot distribution are independent.
TABLE = 1 << 25
# The number of draws that the pilot distribution averages, and their length in tokens, by whether it depends on the last
# token. SmolLM2 takes 0.2 s for a step of 16 rows.
PILOTS = {True: (256, 64), False: (16, 24)}
# The share of the uniform distribution, since a token of pilot probability 0 would bias the estimates.
FLOOR = 0.02


@dataclass(frozen=True, eq=False)
class TokenCondition:
    """A condition on token sequences.

    Attributes:
        automaton: The automaton of the condition, moved by tokens.
        end: The id of EOS; None where no EOS is needed after the automaton accepts.
        max_tokens: The longest text, in tokens.
        tokens: The exact number of tokens, or None.
    """

    automaton: TokenAutomaton
    end: int | None
    max_tokens: int
    tokens: int | None

    def may_stop(self, t: int) -> NDArray[np.bool_]:
        """Return whether a text of t tokens in each state may stop there, `[S]`."""
        accept = self.automaton.dfa.accept
        return accept if self.tokens is None or t == self.tokens else np.zeros_like(accept)


@dataclass(frozen=True, eq=False)
class PilotDistribution:
    """A crude next-token distribution that depends on the last token at most.

    Attributes:
        p: Probabilities `[A, V]`, all positive. A is 1, or V + 1: a row for each last token, and a row for the start.
    """

    p: NDArray[np.float64]

    @property
    def pairs(self) -> bool:
        """Whether the distribution depends on the last token."""
        return len(self.p) > 1


@dataclass(frozen=True, eq=False)
class TwistingFunction:
    """The probability h that the condition will be met, under a pilot distribution.

        log h(t, q, a) = log P(the condition is met | t tokens are read, state q, last token a)

    Attributes:
        table: log h, `[T + 1, S, A]`.
        pairs: Whether h depends on the last token.

    Right: h as a factor in the selection of particles. Wrong: h as the result, since the pilot distribution is not the
    model.
    """

    table: Logs
    pairs: bool

    def log_h(self, t: int, after: NDArray[np.int32]) -> Logs:
        """Return log h after each token, `[V]`, if token v leads to state `after[v]` at time t."""
        now = self.table[t]
        out: Logs = now[after, np.arange(len(after))] if self.pairs else now[after, 0]
        return out


def fit_pilot(lm: LM, target: TokenCondition, rng: np.random.Generator) -> PilotDistribution:
    """Average the next-token distributions of unconditioned draws, by last token where the vocabulary is small."""
    size = lm.vocab.size
    states = len(target.automaton.states)
    pairs = size <= PAIRS and (target.max_tokens + 1) * states * size <= TABLE
    rows, steps = PILOTS[pairs]
    state = lm.start(rows)
    sums = np.zeros((size + 1 if pairs else 1, size))
    last = np.full(rows, size)
    for step in range(min(steps, target.max_tokens + 1)):
        p = np.exp(np.asarray(state.logp, dtype=np.float64))
        np.add.at(sums, last if pairs else np.zeros(len(last), dtype=np.int64), p)
        ids = inverse(p, rng.random(len(p)))
        going = np.flatnonzero(ids != lm.vocab.end) if lm.vocab.end is not None else np.arange(len(ids))
        if not len(going) or step + 1 == min(steps, target.max_tokens + 1):
            break
        if len(going) < len(ids):
            state, ids = state.take(going), ids[going]
        state, last = lm.extend(state, ids[:, None]), ids
    everywhere = sums.sum(axis=0)
    average = FLOOR / size + (1 - FLOOR) * everywhere / everywhere.sum()
    if not pairs:
        return PilotDistribution(average[None, :])
    # A row of a token that occurred k times is k parts of the token's own average and 4 parts of the average of all.
    return PilotDistribution((sums + 4 * average) / (sums.sum(axis=1, keepdims=True) + 4))


def twisting_function(target: TokenCondition, pilot: PilotDistribution) -> TwistingFunction:
    """Compute h from the last token to the first: h(t) = P(stop) + Σ_v P(v) h(t + 1, after v).

    Args:
        target: The condition.
        pilot: The pilot distribution.

    Returns:
        The twisting function of the condition.
    """
    if pilot.pairs:
        return TwistingFunction(_log_masses_by_last_token(target, pilot.p), True)
    end = 0.0 if target.end is None else float(np.log(pilot.p[0, target.end]))
    return TwistingFunction(log_masses_by_state(target, pilot.p[0], end)[:, :, None], False)


def log_masses_by_state(target: TokenCondition, mass: NDArray[np.float64], end: float) -> Logs:
    """Compute log of the mass of all continuations that meet the condition, from each state at each time.

    Args:
        target: The condition.
        mass: The mass of each token, `[V]`. Masses of 1 count the token sequences.
        end: log of the mass of EOS.

    Returns:
        Log masses, `[T + 1, S]`.
    """
    source, to, share = target.automaton.moves(mass)
    sources, count = np.unique(source, return_counts=True)
    with np.errstate(divide="ignore"):
        log_share = np.log(share)
    out = np.full((target.max_tokens + 1, target.automaton.dfa.size), -np.inf)
    for t in range(target.max_tokens, -1, -1):
        over = target.may_stop(t)
        if t < target.max_tokens:
            out[t, sources] = logsumexp_runs(log_share + out[t + 1, to], count)
        if target.end is None:  # a text that may stop stops there
            out[t, over] = end
        else:
            out[t, over] = np.logaddexp(out[t, over], end)
    return out


def _log_masses_by_last_token(target: TokenCondition, p: NDArray[np.float64]) -> Logs:
    size = p.shape[1]
    states: Ints = target.automaton.states
    after = np.stack([target.automaton.next_states(int(q)) for q in states])
    column = np.arange(size)
    out = np.full((target.max_tokens + 1, target.automaton.dfa.size, size + 1), -np.inf)
    for t in range(target.max_tokens, -1, -1):
        over = target.may_stop(t)[states]
        now = np.full((len(states), size + 1), -np.inf)
        if t < target.max_tokens:
            then = out[t + 1][after, column]
            # The scale is the best next token, which counts, since every token has at least FLOOR / V.
            peak = then.max(axis=1, keepdims=True)
            peak = np.where(np.isfinite(peak), peak, 0.0)
            with np.errstate(divide="ignore"):
                now = peak + np.log(np.exp(then - peak) @ p.T)
        if target.end is None:
            now[over] = 0.0
        else:
            now[over] = np.logaddexp(now[over], np.log(p[:, target.end]))
        out[t][states] = now
    return out
