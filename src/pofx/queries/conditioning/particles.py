"""Sequential Monte Carlo for a condition: weighted texts, and unbiased estimates of the condition's probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import logsumexp
from pofx.algorithms.statistics.smc import thinned
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.lm.trace import Ints
from pofx.queries.conditioning.twisting_function import Logs, TokenCondition, TwistingFunction

# The most numbers of next-token distributions at a time: 512 MB in float32. More particles are run in groups.
NUMBERS = 1 << 27
# The most numbers of an enumeration that become weights at a time: 8,160 rows of 257 outcomes, 42 of 49,152.
BLOCK = 1 << 21


@dataclass(frozen=True, eq=False)
class WeightedPath:
    """A token sequence that meets the condition.

    Attributes:
        run: The run that drew the sequence.
        tokens: Token ids, without EOS.
        logp: log p of each token, nats; of EOS last, where the text ends.
        weight: log of the weight.
    """

    run: int
    tokens: Ints
    logp: NDArray[np.float64]
    weight: float


@dataclass(frozen=True, eq=False)
class PathSample:
    """The token sequences that independent runs drew.

    Attributes:
        paths: The weighted sequences of all runs.
        evidence: log of the sum of weights of each run, `[runs]`.
        exhaustive: Whether no branch was left out, so that the evidence is exact.
        calls: The number of calls of the model.
    """

    paths: tuple[WeightedPath, ...]
    evidence: Logs
    exhaustive: bool
    calls: int


@dataclass(frozen=True, eq=False)
class _Particles:
    """Particles side by side, sorted by run.

    Attributes:
        state: The model state; particles that have read the same tokens share a row.
        at: The row of `state` of each particle.
        q: The automaton state.
        node: The node in the ancestry.
        run: The run.
        weight: log of the weight.
    """

    state: State
    at: Ints
    q: Ints
    node: Ints
    run: Ints
    weight: Logs


class _Ancestry:
    """Parent, token and log p of each node in the tree of particles; node 0 is the start."""

    def __init__(self) -> None:
        self.parent: list[Ints] = [np.array([-1])]
        self.token: list[Ints] = [np.array([-1])]
        self.logp: list[Logs] = [np.zeros(1)]
        self.size = 1

    def add(self, parent: Ints, token: Ints, logp: Logs) -> Ints:
        """Add nodes, and return their numbers."""
        self.parent.append(parent)
        self.token.append(token)
        self.logp.append(logp)
        self.size += len(parent)
        return np.arange(self.size - len(parent), self.size)

    def paths(self, nodes: Sequence[int]) -> list[tuple[list[int], list[float]]]:
        """Return the tokens and their log p from the start to each node."""
        parent, token, logp = (np.concatenate(x) for x in (self.parent, self.token, self.logp))
        out = []
        for node in nodes:
            ids: list[int] = []
            nats: list[float] = []
            at = node
            while at > 0:
                ids.append(int(token[at]))
                nats.append(float(logp[at]))
                at = int(parent[at])
            out.append((ids[::-1], nats[::-1]))
        return out


def run_particles(
    lm: LM,
    target: TokenCondition,
    ahead: TwistingFunction,
    n: int | None,
    rngs: Sequence[np.random.Generator],
) -> PathSample:
    """Estimate Σ p(text) over the texts that meet the condition, by a run for each generator.

    A particle is a token sequence that can still meet the condition. Its weight w satisfies E[Σ w over particles with
    this beginning] = P(beginning). At each step a particle branches into every token after which the condition is still
    possible, with weight w p(v | prefix). About n of all branches go on, with probability in proportion to weight times
    twisting function; the heaviest go on for certain (`thinned`). Where the text may end, w p(EOS | prefix) is added to the
    sum, and the particle goes on.

    Args:
        lm: The model after the prefix.
        target: The condition.
        ahead: The twisting function.
        n: The number of particles of a run; None for all branches, which is enumeration.
        rngs: A generator for each run.

    Returns:
        The evidence of each run, and weighted sequences: at most about n finished texts a run.

    Right: `run_particles(lm, target, twisting, 64, rngs)`. Wrong: expecting more than n texts of a run, since finished texts
    are thinned to n, too.
    """
    size = lm.vocab.size
    group = len(rngs) if n is None else max(1, NUMBERS // (n * size))
    parts = [_run_group(lm, target, ahead, n, rngs[lo : lo + group]) for lo in range(0, len(rngs), group)]
    if len(parts) == 1:
        return parts[0]
    paths = tuple(
        WeightedPath(p.run + k * group, p.tokens, p.logp, p.weight)
        for k, part in enumerate(parts)
        for p in part.paths
    )
    evidence = np.concatenate([part.evidence for part in parts])
    return PathSample(paths, evidence, all(p.exhaustive for p in parts), sum(p.calls for p in parts))


def _run_group(
    lm: LM,
    target: TokenCondition,
    ahead: TwistingFunction,
    n: int | None,
    rngs: Sequence[np.random.Generator],
) -> PathSample:
    runs = len(rngs)
    zero = np.zeros(runs, dtype=np.int64)
    start = np.full(runs, target.automaton.dfa.start)
    live = _Particles(lm.start(1), zero, start, zero, np.arange(runs), np.zeros(runs))
    tree, exhaustive, calls = _Ancestry(), True, 1
    over: list[tuple[Ints, Ints, Logs, Logs]] = []  # node, run, weight, log p(EOS)
    for t in range(target.max_tokens + 1):
        done = target.may_stop(t)[live.q]
        if target.end is not None:
            at = np.flatnonzero(done)
            last = np.zeros(0)
            if len(at):  # an unread distribution is not computed
                last = np.asarray(live.state.logp[live.at[at], target.end], dtype=np.float64)
            some = np.isfinite(last)
            at, last = at[some], last[some]
            over.append((live.node[at], live.run[at], live.weight[at] + last, last))
        else:  # the text stops without EOS, so no factor p(EOS) enters its weight
            at = np.flatnonzero(done)
            over.append((live.node[at], live.run[at], live.weight[at], np.full(len(at), np.nan)))
            live = _select(live, np.flatnonzero(~done))
        if t == target.max_tokens or not len(live.q):
            break
        live, all_kept = _advance(lm, target, ahead, live, tree, t, n, rngs)
        exhaustive &= all_kept
        calls += len(live.q) > 0
    node, run, weight, last = (np.concatenate(column) for column in zip(*over))
    sums = np.array([logsumexp(weight[run == r]) for r in range(runs)])
    kept = np.concatenate(
        [_thin_finished(weight, np.flatnonzero(run == r), n, rngs[r]) for r in range(runs)], axis=1
    )
    chosen, factor = kept[0].astype(np.int64), kept[1]
    found = tree.paths(node[chosen].tolist())
    paths = tuple(
        WeightedPath(
            int(run[k]),
            np.array(ids, dtype=np.int64),
            np.array(nats if np.isnan(last[k]) else [*nats, float(last[k])]),
            float(weight[k] - f),
        )
        for k, f, (ids, nats) in zip(chosen, factor, found)
    )
    return PathSample(paths, sums, exhaustive, calls)


def _thin_finished(weight: Logs, mine: Ints, n: int | None, rng: np.random.Generator) -> NDArray[np.float64]:
    """Choose about n finished texts of a run; return their numbers, and log of the probability of each choice."""
    peak = weight[mine].max(initial=-np.inf)
    if n is None or len(mine) <= n or np.isneginf(peak):
        return np.stack([mine.astype(np.float64), np.zeros(len(mine))])
    _, k, log_kept = thinned(np.exp(weight[mine] - peak)[None, :], n, rng.random())
    return np.stack([mine[k].astype(np.float64), log_kept])


def _select(live: _Particles, rows: Ints) -> _Particles:
    return _Particles(
        live.state, live.at[rows], live.q[rows], live.node[rows], live.run[rows], live.weight[rows]
    )


def _advance(
    lm: LM,
    target: TokenCondition,
    ahead: TwistingFunction,
    live: _Particles,
    tree: _Ancestry,
    t: int,
    n: int | None,
    rngs: Sequence[np.random.Generator],
) -> tuple[_Particles, bool]:
    """Extend all particles by a token; also return whether no branch was dropped."""
    rows, tokens, factors, exhaustive = [], [], [], True
    for r in np.unique(live.run):
        mine = np.flatnonzero(live.run == r)
        if n is None:
            row, token = _keep_all_branches(lm, target, ahead, live, mine, t)
            factor = np.zeros(len(row))
        else:
            row, token, factor, kept = _sample_branches(target, ahead, live, mine, t, n, rngs[r])
            exhaustive &= kept
        rows.append(row)
        tokens.append(token)
        factors.append(factor)
    row, token, factor = np.concatenate(rows), np.concatenate(tokens), np.concatenate(factors)
    logp = np.asarray(live.state.logp[live.at[row], token], dtype=np.float64)
    q = np.zeros(len(row), dtype=np.int64)
    for state in np.unique(live.q[row]):
        here = live.q[row] == state
        q[here] = target.automaton.next_states(int(state))[token[here]]
    node = tree.add(live.node[row], token, logp)
    # Particles of several runs that have read the same tokens share a row of the state.
    size = lm.vocab.size
    pair, at = np.unique(live.at[row] * size + token, return_inverse=True)
    state = live.state
    if len(pair):
        state = lm.extend(state.take(pair // size), (pair % size)[:, None])
    return _Particles(state, at, q, node, live.run[row], live.weight[row] + logp - factor), exhaustive


def _log_branch_weights(
    target: TokenCondition, ahead: TwistingFunction, live: _Particles, some: Ints, t: int
) -> Logs:
    """Return log of weight · p(v) · h of each branch, `[rows, V]`; −∞ where the condition cannot be met."""
    worth = np.asarray(live.state.logp[live.at[some]], dtype=np.float64) + live.weight[some, None]
    for q in np.unique(live.q[some]):
        here = np.flatnonzero(live.q[some] == q)
        worth[here] += ahead.log_h(t + 1, target.automaton.next_states(int(q)))
    return worth


def _keep_all_branches(
    lm: LM, target: TokenCondition, ahead: TwistingFunction, live: _Particles, mine: Ints, t: int
) -> tuple[Ints, Ints]:
    rows, tokens = [], []
    block = max(1, BLOCK // lm.vocab.size)
    for lo in range(0, len(mine), block):
        some = mine[lo : lo + block]
        row, token = np.nonzero(np.isfinite(_log_branch_weights(target, ahead, live, some, t)))
        rows.append(some[row])
        tokens.append(token)
    return np.concatenate(rows), np.concatenate(tokens)


def _sample_branches(
    target: TokenCondition,
    ahead: TwistingFunction,
    live: _Particles,
    mine: Ints,
    t: int,
    n: int,
    rng: np.random.Generator,
) -> tuple[Ints, Ints, Logs, bool]:
    worth = _log_branch_weights(target, ahead, live, mine, t)
    u = rng.random()
    peak = worth.max()
    if np.isneginf(peak):
        return mine[:0], mine[:0], np.zeros(0), True
    row, token, factor = thinned(np.exp(worth - peak), n, u)
    return mine[row], token, factor, not factor.any() and len(row) == np.isfinite(worth).sum()
