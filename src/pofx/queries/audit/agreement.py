"""Checks that all ways to ask a model for the same number give the same number."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pofx.lm.forward_by_extension import forward_by_extension
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.lm.trace import Ints, Want
from pofx.queries.audit.distribution_statistics import log_distributions, split_batches
from pofx.queries.findings import Check, CheckVerdict, Finding, Measure
from pofx.units import count_noun

# A number between the bound and 10 times the bound may be rounding in float32: a warning. In float64 it is a fault.
ROUNDING = 10.0
# The most texts that `strings_finding` enumerates, and its largest vocabulary.
ENUMERATED, TINY = 3_000, 8
# The largest allowed difference of a probability, and of log p a token, by coarse dtype. Two passes that differ by 1e-6
# round some numbers in two ways, and then differ as much as each is off: by 0.03 nats a token in bfloat16, 0.004 in int8.
PROBABILITIES = {"bfloat16": 0.05, "int8": 0.01}
TEXTS = {"bfloat16": 0.1, "int8": 0.02}


def exact_arithmetic(lm: LM) -> bool:
    """Return whether the model names float64 as its dtype, and its next-token distributions are float64."""
    if lm.dtype != "float64":
        return False
    a_token = next(i for i, b in enumerate(lm.vocab.token_bytes) if b is not None)
    return bool(lm.extend(lm.start(1), np.array([[a_token]])).logp.dtype == np.float64)


def row_bound(lm: LM) -> float:
    """Return the largest allowed |Σp − 1| of a next-token distribution: 1e-9 in float64, else 1e-5."""
    return 1e-9 if exact_arithmetic(lm) else 1e-5


def probability_bound(lm: LM) -> float:
    """Return the largest allowed difference of a probability computed in two ways: of `PROBABILITIES`, or `row_bound`."""
    coarse = PROBABILITIES.get(lm.dtype)
    return row_bound(lm) if coarse is None else coarse


def text_bound(lm: LM, tokens: int) -> float:
    """Return the largest allowed difference of log p of a text, nats.

    The bound is 1e-9 a token in float64, 0.1 a token in bfloat16, 0.02 a token in int8, and 1e-5 a token, at least 1e-4, in
    float32.
    """
    if exact_arithmetic(lm):
        return 1e-9 * max(tokens, 1)
    coarse = TEXTS.get(lm.dtype)
    return max(1e-4, 1e-5 * tokens) if coarse is None else coarse * max(tokens, 1)


def largest_gap(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the largest difference of log P over all prefixes of a text, nats; equal infinities do not differ."""
    if a.shape != b.shape:
        return float("inf")
    with np.errstate(invalid="ignore"):
        step = np.where(a == b, 0.0, a - b)
    if not np.all(np.isfinite(step)):
        return float("inf")
    return float(np.max(np.abs(np.cumsum(step)), initial=0.0))


def rows_finding(lm: LM, worst: float, rows: int) -> Finding:
    """Make the finding of check 1: |Σp − 1| of every next-token distribution that was read."""
    bound = row_bound(lm)
    why = (
        f"The probabilities of a next-token distribution sum to 1; of {count_noun(rows, 'distribution')} (start, "
        f"documents, draws, random tokens) the worst is off by {worst:.2g}. Numbers from distributions with another sum are "
        "no probabilities."
    )
    return Finding(Check.ROWS, _outcome(worst <= bound), worst, bound, Measure.PROBABILITY, why)


def forward_finding(
    lm: LM, paths: Sequence[Ints], plain: Sequence[NDArray[np.float64]], free: int, long: Ints | None = None
) -> Finding:
    """Check log p of tokens and of EOS in one pass over each text, against one `extend` a token (check 2).

    Args:
        lm: The model.
        paths: The texts, as token ids.
        plain: `lm.forward(paths, skip=free).logp`.
        free: Positions at the start that are not compared.
        long: A text about as long as the context, read in one pass and by a few steps of many tokens; or None.

    Returns:
        The finding, nats.
    """
    want = Want(end=True)
    fast = lm.forward(paths, want, free)
    slow = forward_by_extension(lm, paths, want, free)
    pairs = [*zip(plain, slow.logp), *zip(fast.logp, slow.logp)]
    if long is not None and len(long) > free + 1:
        pairs.extend(_by_long_steps(lm, long, free))
    worst, bound, outcome = _compare(lm, pairs)
    if lm.vocab.end is not None and fast.end and slow.end:
        # The check compares probabilities of EOS, since log p(EOS) may be −30, where float32 has too few digits.
        off = max(
            (float(np.max(np.abs(np.exp(a) - np.exp(b)))) for a, b in zip(fast.end, slow.end) if len(a)),
            default=0.0,
        )
        if not off <= probability_bound(lm) * ROUNDING:
            worst, bound, outcome = off, probability_bound(lm), "fail"
    also = "" if long is None or not len(long) else f" and one of {len(long):,} tokens"
    why = (
        f"The scorer reads a text in one pass, the sampler token by token; on {count_noun(len(paths), 'text')}{also} both "
        f"differ by at most {worst:.2g} nats. If the two disagree, what is scored is not what is drawn."
    )
    return Finding(Check.FORWARD, outcome, worst, bound, Measure.NATS, why)


def _by_long_steps(lm: LM, path: Ints, free: int) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return log p of single tokens of a text, in one pass over the text, and after prefixes of it."""
    whole = lm.forward([path], skip=free).logp[0]
    n = len(path)
    at = sorted({k for k in (n // 64, n // 16, n // 4, n // 2, 3 * n // 4, n - 1) if k >= max(free, 1)})
    state, read, out = lm.start(1), 0, []
    for k in at:
        state, read = lm.extend(state, path[None, read:k]), k
        out.append((whole[k - free : k - free + 1], np.array([float(state.logp[0, path[k]])])))
    return out


def batch_finding(
    lm: LM, paths: Sequence[Ints], plain: Sequence[NDArray[np.float64]], free: int, seed: int
) -> Finding:
    """Check a batch of texts of several lengths, against its texts one by one and in another order (check 3)."""
    order = np.random.default_rng([seed, 4]).permutation(len(paths))
    shuffled = lm.forward([paths[i] for i in order], skip=free).logp
    alone = [lm.forward([p], skip=free).logp[0] for p in paths]
    pairs = [(plain[i], s) for i, s in zip(order, shuffled)] + list(zip(plain, alone))
    worst, bound, outcome = _compare(lm, pairs)
    why = (
        f"log p of a text must not depend on the other texts of a batch, as it may through padding; "
        f"{len(paths)} texts together, alone and in another order differ by at most {worst:.2g} nats."
    )
    return Finding(Check.BATCH, outcome, worst, bound, Measure.NATS, why)


def values_finding(lm: LM, prefixes: Ints, tokens: Ints) -> Finding:
    """Check that `extend`, `take` and `cat` leave a state and its siblings unchanged (check 3b)."""

    def fresh() -> State:
        return lm.extend(lm.start(len(prefixes)), prefixes)

    n = len(prefixes)
    one, other = tokens[:, :1], tokens[:, 1:2]
    before = np.exp(log_distributions(fresh()))
    state = fresh()
    first = lm.extend(state, one)
    first_p = np.exp(log_distributions(first))
    lm.extend(state, other).logp  # noqa: B018  (a lazy distribution could change its siblings only when it is read)
    again = np.exp(log_distributions(lm.extend(state, one)))
    rows = np.arange(n)[::-1].copy()
    joined = state.take(rows).cat(first)
    onward = np.exp(log_distributions(lm.extend(joined, np.concatenate([one[rows], other]))))
    differences = [
        again - first_p,
        np.exp(log_distributions(state)) - before,
        np.exp(log_distributions(joined)) - np.concatenate([before[rows], first_p]),
        onward[:n] - first_p[rows],
        np.exp(log_distributions(first)) - first_p,
    ]
    with np.errstate(invalid="ignore"):
        worst = max(float(np.max(np.where(np.isnan(d), np.inf, np.abs(d)))) for d in differences)
    bound = probability_bound(lm)
    why = (
        "A state is a value: extending, choosing or joining rows must not change the state, or two "
        "continuations of one prefix would change each other. Distributions read before and after differ by at most "
        f"{worst:.2g}."
    )
    return Finding(Check.VALUES, _outcome(worst <= bound), worst, bound, Measure.PROBABILITY, why)


def draws_finding(lm: LM, paths: Sequence[Ints], drawn: Sequence[NDArray[np.float64]], free: int) -> Finding:
    """Check log p of each draw as it was drawn, against its score (check 4)."""
    scored = lm.forward(paths, skip=free).logp
    worst, bound, outcome = _compare(lm, list(zip(drawn, scored)))
    why = (
        f"A draw comes with its log-probability as drawn; the scores of the same {count_noun(len(paths), 'draw')} "
        f"differ by at most {worst:.2g} nats. A gap means that the sampler draws from another "
        "distribution than p."
    )
    return Finding(Check.DRAWS, outcome, worst, bound, Measure.NATS, why)


def strings_finding(lm: LM) -> Finding | None:
    """Check over a tiny vocabulary that Σ p(x) of all short texts plus P of all longer prefixes is 1 (check 10)."""
    end = lm.vocab.end
    others = [i for i in range(lm.vocab.size) if i != end]
    if end is None or lm.vocab.size > TINY or not others:
        return None
    longest = 1
    while longest < 10 and sum(len(others) ** k for k in range(longest + 3)) <= ENUMERATED:
        longest += 1
    ended = [
        np.array([*x, end], dtype=np.int64)
        for n in range(longest + 1)
        for x in itertools.product(others, repeat=n)
    ]
    alive = [np.array(x, dtype=np.int64) for x in itertools.product(others, repeat=longest + 1)]
    with np.errstate(all="ignore"):
        total = sum(float(np.exp(t)) for t in _totals(lm, ended + alive))
    off = abs(total - 1.0) if np.isfinite(total) else float("inf")
    bound = row_bound(lm) * 10
    control = {i for i in others if lm.vocab.token_bytes[i] is None}
    odd = [x for x in ended if not control.isdisjoint(x.tolist())]
    what = f"{len(ended):,} texts of up to {longest} tokens"
    if odd:
        with np.errstate(all="ignore"):
            lost = sum(float(np.exp(t)) for t in _totals(lm, odd))
        what = (
            f"{len(ended):,} sequences of up to {longest} tokens and EOS ({len(ended) - len(odd):,} texts, and {len(odd):,} "
            f"with control tokens, of mass {lost:.3g}, which spell no text)"
        )
    why = (
        f"All {what}, and the {len(alive):,} longer prefixes, are exclusive, and every text is or begins with one of them: "
        f"together their mass is {total:.9g}, which must be 1."
    )
    return Finding(Check.STRINGS, _outcome(off <= bound), off, bound, Measure.PROBABILITY, why)


def _totals(lm: LM, paths: Sequence[Ints]) -> Iterator[float]:
    """Yield log p of each path, in any order."""
    for batch in split_batches(lm, paths):
        for logp in lm.forward(batch).logp:
            yield float(logp.sum())


def _compare(
    lm: LM, pairs: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]
) -> tuple[float, float, CheckVerdict]:
    """Return the largest gap relative to the length of its text, the bound for it, and the verdict."""
    gaps = [(largest_gap(a, b), text_bound(lm, len(b))) for a, b in pairs]
    worst, bound = max(gaps, key=lambda g: g[0] / g[1], default=(0.0, text_bound(lm, 1)))
    slack = 1.0 if exact_arithmetic(lm) else ROUNDING
    if worst <= bound:
        return worst, bound, "pass"
    return worst, bound, "warn" if worst <= slack * bound else "fail"


def _outcome(good: bool) -> CheckVerdict:
    return "pass" if good else "fail"
