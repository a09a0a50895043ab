"""The distribution of texts that meet a condition: exact where this is possible, else an estimate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.automata.automaton import Dfa, anything, preceded
from pofx.algorithms.logspace import logsumexp
from pofx.algorithms.statistics.smc import Evidence, effective, evidence
from pofx.errors import Advice, BadValue, Impossible, Unreached
from pofx.interactive.shown import Shown
from pofx.lm.model import LM
from pofx.queries.conditioning.forward_backward import build_product, compute_backward, draw_texts
from pofx.queries.conditioning.particles import PathSample, WeightedPath, run_particles
from pofx.queries.conditioning.problem import ConditioningProblem, allow_opening_space, impossible_condition
from pofx.queries.conditioning.token_automaton import TokenAutomaton
from pofx.queries.conditioning.twisting_function import (
    PilotDistribution,
    TokenCondition,
    fit_pilot,
    log_masses_by_state,
    twisting_function,
)
from pofx.queries.sample import Draw
from pofx.queries.scoring.terms import terms
from pofx.transforms.given import show
from pofx.units import count_noun
from pofx.values import check_whole_number
from pofx.vocab.vocabulary import to_bytes

Method = Literal["enumeration", "forward-backward", "smc"]

# The most token sequences of an enumeration, and the most numbers of their next-token distributions.
ENUMERATED, NUMBERS = 4_096, 1 << 24
# The longest text, since a step takes at least 20 µs, and the most entries of a table of length times automaton states:
# 512 MB.
LONGEST, TABLE = 100_000, 1 << 26
# The number of particles of one run. More particles make more runs, and so a better standard error.
PARTICLES = 256


@dataclass(frozen=True)
class Outcome:
    """A string, and its probability given the condition.

    Attributes:
        text: The string as UTF-8; stray bytes show as U+FFFD.
        bytes: The bytes of the string.
        p: Its probability given the condition.
        se: The standard error of `p`, a difference of probabilities; 0 where `p` is exact.

    Right: `condition(lm, Contains("friend")).outcomes[0].p`. Wrong: comparing `p` under two conditions as probabilities of
    one distribution.
    """

    text: str
    bytes: bytes
    p: float
    se: float


@dataclass(frozen=True, eq=False, repr=False)
class Conditioned(Shown):
    """The distribution of texts given a condition: weighted draws, and the probability of the condition.

    Attributes:
        on: The condition in words.
        given: The prefix, on which the texts are conditioned, too.
        outcomes: Distinct strings, the likeliest first, with probabilities summed over draws and tokenisations. Where
            each string has one spelling and the evidence is exact, the probabilities are exact. They may sum to less than
            1, since strings that were not drawn have the rest. Otherwise the probabilities sum to 1.
        draws: Token sequences, the heaviest first. After an exact join, tokens and logp begin with the tokens that spell
            the end of the prefix; text and bytes do not.
        weights: The weight of each draw, `[draws]`; the weights sum to 1. An expectation is the weighted mean.
        log_evidence: log P(condition | given), nats.
        se: The standard error of P(condition | given), divided by that probability; 0 where the evidence is exact.
        ess: The effective number of draws, (Σ w)² / Σ w²; None where every text is among the draws. With "smc", `ess`
            is small where few texts have most of the mass, so the quality of the estimate is `se`.
        runs: log of the unbiased estimate of P by each run, nats.
        method: "enumeration" of all texts that meet the condition; "forward-backward", with exact evidence and n
            independent draws; or "smc", sequential Monte Carlo with n particles in all.
        max_tokens: The longest text that counts, in tokens.
        calls: The number of calls of the model.

    Right: `sum(w * len(d.bytes) for d, w in zip(c.draws, c.weights))`, the mean length in bytes. Wrong: the plain mean over
    `c.draws`, which leaves out the weights.
    """

    on: str
    given: str | bytes
    outcomes: tuple[Outcome, ...]
    draws: tuple[Draw, ...]
    weights: NDArray[np.float64]
    log_evidence: float
    se: float
    ess: float | None
    runs: tuple[float, ...]
    method: Method
    max_tokens: int
    calls: int

    @property
    def exact(self) -> bool:
        """Whether the evidence is exact."""
        return self.method != "smc"


def check_sampling(n: int, runs: int, seed: int | None) -> tuple[int, int, int | None]:
    """Check particles, runs and seed early, since compiling a condition takes long."""
    runs = check_whole_number("runs", runs, 8, advice="take 8 or more, for the standard error over runs")
    n = check_whole_number("n", n, runs, advice="take a particle for each run; -k shows fewer outcomes")
    return (
        n,
        runs,
        None if seed is None else check_whole_number("seed", seed, advice="None draws a fresh seed"),
    )


def solve(
    problem: ConditioningProblem, n: int, runs: int, seed: int | None, part: Callable[[bytes], bytes] = bytes
) -> Conditioned:
    """Solve a conditioning problem exactly where this is possible, else by particles.

    Args:
        problem: The condition, prefix and model.
        n: The number of particles in all runs together, or of draws of forward–backward.
        runs: The number of independent runs of the particles.
        seed: Seed of the draws.
        part: A function that returns the part of a text that is the outcome; the whole text by default.

    Returns:
        The conditioned distribution.

    Raises:
        Impossible: No text meets the condition.
        Unreached: No particle met the condition, though some text may.
    """
    source = problem.source
    if problem.dfa.empty or problem.max_tokens < 0:
        raise impossible_condition(problem, "no text meets the condition")
    target = _token_condition(problem, problem.dfa, problem.ends, problem.max_tokens, problem.tokens)
    few = _is_enumerable(source, target)
    if few is None:
        raise impossible_condition(
            problem, f"no {problem.max_tokens:,} tokens of the vocabulary spell such a text"
        )
    first, *streams = np.random.SeedSequence(seed).spawn(1 + max(runs, -(-n // PARTICLES)))
    method: Method = "smc"
    if few:
        found, method = _enumerate_texts(source, target), "enumeration"
    elif (chain := build_product(source, target)) is not None:
        backward, rng = compute_backward(chain, target), np.random.default_rng(first)
        drawn = draw_texts(chain, target, backward, n, rng) if backward[0, 0] > -np.inf else []
        found, method = PathSample(tuple(drawn), backward[0, :1], True, chain.calls), "forward-backward"
    else:
        twisting = twisting_function(target, fit_pilot(source, target, np.random.default_rng(first)))
        each = -(-n // len(streams))
        found = run_particles(source, target, twisting, each, [np.random.default_rng(s) for s in streams])
    if np.isneginf(found.evidence.max()):
        if found.exhaustive:
            raise impossible_condition(problem, "all texts that meet the condition have probability 0")
        raise Unreached(
            f"expected particles that meet the condition ({problem.on}), got none among {n:,}",
            [
                Advice("take more particles, since some text may meet the condition", "n=…", "-n"),
                "take a likelier condition",
            ],
        )
    return _record(problem, found.paths, method, found.calls, found.evidence, part)


def _token_condition(
    problem: ConditioningProblem, dfa: Dfa, ends: bool, most: int, tokens: int | None
) -> TokenCondition:
    room = min(LONGEST, TABLE // dfa.size - 1)
    if most > room:
        raise BadValue(
            f"expected at most {room:,} for a condition of {count_noun(dfa.size, 'state')}, got {most:,}",
            "take fewer tokens, or a shorter condition",
            argument="max_tokens",
        )
    vocab = problem.source.vocab
    automaton = TokenAutomaton(dfa, vocab.token_bytes, vocab.end)
    return TokenCondition(automaton, vocab.end if ends else None, most, tokens)


def _is_enumerable(source: LM, target: TokenCondition) -> bool | None:
    """Return whether few enough token sequences meet the condition to enumerate them; None if there are none."""
    ways = log_masses_by_state(target, np.ones(source.vocab.size), 0.0)[0, target.automaton.dfa.start]
    most = min(ENUMERATED, max(NUMBERS // source.vocab.size, 1))
    return None if np.isneginf(ways) else math.exp(min(ways, 700.0)) < most + 0.5


def _enumerate_texts(source: LM, target: TokenCondition) -> PathSample:
    size = source.vocab.size
    level = twisting_function(target, PilotDistribution(np.full((1, size), 1 / size)))
    return run_particles(source, target, level, None, [np.random.default_rng(0)])


def _log_p_of_tail(problem: ConditioningProblem) -> float:
    """Return log P(tail), nats, which is subtracted from the log of the evidence."""
    if not problem.tail:
        return 0.0
    dfa = allow_opening_space(problem.source, preceded(problem.tail, anything()))
    target = _token_condition(problem, dfa, False, len(problem.tail) + 1, None)
    if _is_enumerable(problem.source, target):
        found = float(_enumerate_texts(problem.source, target).evidence[0])
    else:
        chain = build_product(problem.source, target)
        if chain is not None:
            found = float(compute_backward(chain, target)[0, 0])
        else:
            assert problem.byte_lm is not None  # noqa: S101  (ours: there is a tail)
            found = float(problem.byte_lm.forward([list(problem.tail)]).logp[0].sum())
    if found == -math.inf:
        raise Impossible(
            f"expected a prefix of positive probability to condition on, got {show(problem.given)} with P = 0 "
            "under this model",
            "use a smoothed model, or a prefix of positive probability",
        )
    return found


def _record(
    problem: ConditioningProblem,
    paths: Sequence[WeightedPath],
    method: Method,
    calls: int,
    runs: NDArray[np.float64],
    part: Callable[[bytes], bytes],
) -> Conditioned:
    given_tail = runs - _log_p_of_tail(problem)
    one = float(given_tail[0])
    found = evidence(given_tail) if len(runs) > 1 else Evidence(one, 0.0, (one,))
    log_weights = np.array([p.weight for p in paths])
    weights = np.exp(log_weights - logsumexp(log_weights))
    order = np.argsort(-weights, kind="stable")
    drawn = tuple(_draw(problem, paths[k]) for k in order)
    kept = [part(problem.cut(d.bytes)) for d in drawn]
    which = np.array([paths[k].run for k in order])
    ess = None if method == "enumeration" else effective(log_weights)
    outcomes = _outcomes(kept, weights[order], which, method, len(runs))
    if method == "forward-backward" and problem.ends and problem.source.vocab.unambiguous:
        nats = dict(zip(kept, (d.total for d in drawn)))
        sure = (replace(o, p=math.exp(nats[o.bytes] - found.log), se=0.0) for o in outcomes)
        outcomes = tuple(sorted(sure, key=lambda o: -o.p))
    return Conditioned(
        problem.on,
        problem.given,
        outcomes,
        drawn,
        weights[order],
        found.log,
        found.se,
        ess,
        found.runs,
        method,
        problem.max_tokens,
        calls,
    )


def _draw(problem: ConditioningProblem, path: WeightedPath) -> Draw:
    vocab = problem.source.vocab
    spelled = vocab.decode(path.tokens)[len(problem.tail) :]  # type: ignore[arg-type]
    given_bytes = len(to_bytes(problem.given))
    small_print = terms(problem.lm, len(path.tokens), len(spelled), given_bytes, problem.ends)
    if problem.tail:
        small_print = replace(small_print, boundary="exact")
    text = spelled.decode("utf-8", "replace")
    return Draw(text, spelled, path.tokens, path.logp, problem.ends, small_print)


def _outcomes(
    strings: Sequence[bytes], weights: NDArray[np.float64], run: NDArray[np.int64], method: Method, runs: int
) -> tuple[Outcome, ...]:
    """Sum the weights of equal strings; the standard error is of independent draws, or computed from the runs."""
    distinct = {s: k for k, s in enumerate(dict.fromkeys(strings))}
    which = np.array([distinct[s] for s in strings], dtype=np.int64)
    p = np.bincount(which, weights=weights)
    if method == "enumeration":
        se = np.zeros(len(p))
    elif method == "forward-backward":
        se = np.sqrt(p * (1 - p).clip(0) / len(weights))
    else:  # the variance of a ratio of means over runs is Σ_r (a_r − p Z_r)²
        total = np.bincount(run, weights=weights, minlength=runs)
        # Only runs that found the string have a_r > 0, so the sum is expanded: Σ a² − 2 p Σ a Z + p² Σ Z².
        pair, at = np.unique(which * runs + run, return_inverse=True)
        mass = np.bincount(at, weights=weights)
        of, r = pair // runs, pair % runs
        squares = np.bincount(of, weights=mass**2 - 2 * p[of] * mass * total[r], minlength=len(p))
        se = np.sqrt((squares + p**2 * np.sum(total**2)).clip(0) * runs / max(runs - 1, 1))
    out = [Outcome(s.decode("utf-8", "replace"), s, float(p[k]), float(se[k])) for s, k in distinct.items()]
    return tuple(sorted(out, key=lambda o: -o.p))
