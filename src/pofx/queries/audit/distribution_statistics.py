"""Statistics of next-token distributions along texts, in bounded memory: their average, sums and leak."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.errors import NoBOS
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.lm.trace import Ints
from pofx.queries.audit.held_out import budget_for

# The most numbers of a batch of distributions: 32 MB in float64.
CELLS = 4_000_000


@dataclass(frozen=True, eq=False)
class DistributionStatistics:
    """Statistics of the next-token distributions that were read.

    Attributes:
        mean: The average distribution, `[V]`.
        noise: The squared relative standard error of each entry of `mean`, `[V]`.
        worst: The largest |Σp − 1|; inf where an entry is no number.
        leak: The average mass on control tokens other than EOS.
        spread: The largest difference of any entry from the first distribution.
        rows: The number of distributions that were read.
    """

    mean: NDArray[np.float64]
    noise: NDArray[np.float64]
    worst: float
    leak: float
    spread: float
    rows: int


def split_batches(lm: LM, paths: Sequence[Ints]) -> Iterator[list[Ints]]:
    """Yield the paths in batches whose distributions fit in memory, the longest paths first."""
    rows = max(1, CELLS // max(lm.vocab.size, 1))
    ordered = sorted(paths, key=len, reverse=True)
    for lo in range(0, len(ordered), rows):
        yield ordered[lo : lo + rows]


def has_begin(lm: LM) -> bool:
    """Return whether the model defines p(x1): the model names an x0, and has a distribution of first tokens."""
    if lm.begin.known == "none":
        return False
    try:
        return len(lm.start(1).logp) == 1
    except NoBOS:
        return False


def log_distributions(state: State) -> NDArray[np.float64]:
    """Return the next-token distributions of a state as log-probabilities in float64, `[n, V]`."""
    return np.asarray(state.logp, dtype=np.float64)


def iterate_distributions(
    lm: LM, paths: Sequence[Ints], first: int, stride: int
) -> Iterator[NDArray[np.float64]]:
    """Yield log-distributions `[k, V]` after the first `first`, `first + stride`, … tokens of each path."""
    for batch in split_batches(lm, paths):
        live = [p for p in batch if len(p) >= first]
        if not live:
            continue
        state = lm.extend(lm.start(len(live)), _cut(live, 0, first)) if first else lm.start(len(live))
        at, n = first, len(live)
        while n:
            yield log_distributions(state)[:n]
            n = sum(len(p) >= at + stride for p in live)
            # Rows past their end are extended by an arbitrary token until they are a quarter of the batch. The removal of a
            # row copies all other rows, which for a transformer's cache took most of the time.
            if 0 < n < 0.75 * len(live):
                live, state = live[:n], state.take(np.arange(n))
            if n:
                state = lm.extend(state, _cut(live, at, at + stride))
            at += stride


def collect_statistics(lm: LM, paths: Sequence[Ints], seed: int) -> DistributionStatistics:
    """Read about 2,000 next-token distributions (400 of a large vocabulary), spread evenly over the texts.

    The distribution of first tokens is not counted. Whole distributions are dear where the cache of a transformer grows.
    200 documents and 4,000 distributions took 70 s of a busy machine, and half of both took 10 s.

    Args:
        lm: The model.
        paths: The texts, as token ids.
        seed: Seed of the first position.

    Returns:
        The statistics.
    """
    budget = budget_for(lm)
    paths = [p[: budget.distribution_tokens] for p in paths[: budget.distribution_documents]]
    total = sum(len(p) for p in paths)
    stride = max(1, -(-total // budget.distributions))
    first = int(np.random.default_rng([seed, 2]).integers(1, stride + 1))
    control = np.array([b is None and i != lm.vocab.end for i, b in enumerate(lm.vocab.token_bytes)])
    mean, square = np.zeros(lm.vocab.size), np.zeros(lm.vocab.size)
    worst = leak = spread = 0.0
    reference: NDArray[np.float64] | None = None
    rows = 0
    for logp in iterate_distributions(lm, paths, first, stride):
        worst = max(worst, worst_sum_error(logp))
        with np.errstate(all="ignore"):
            p = np.nan_to_num(np.exp(logp), nan=0.0, posinf=0.0)
        reference = p[0].copy() if reference is None else reference
        spread = max(spread, float(np.max(np.abs(p - reference))))
        mean += p.sum(axis=0)
        square += np.einsum("rv,rv->v", p, p)
        leak += float(p[:, control].sum())
        rows += len(p)
    mean, square = mean / max(rows, 1), square / max(rows, 1)
    with np.errstate(all="ignore"):
        noise = np.where(mean > 0, np.maximum(square / mean**2 - 1.0, 0.0) / max(rows, 1), 0.0)
    return DistributionStatistics(mean, noise, worst, leak / max(rows, 1), spread, rows)


def worst_sum_error(logp: NDArray[np.float64]) -> float:
    """Return the largest |Σp − 1| over rows of log-probabilities; inf where a row is no number."""
    with np.errstate(all="ignore"):
        off = np.abs(np.exp(logp).sum(axis=1) - 1.0)
    return float(np.max(np.where(np.isfinite(off), off, np.inf), initial=0.0))


def _cut(paths: Sequence[Ints], lo: int, hi: int) -> Ints:
    return np.stack([p[lo:hi] if len(p) >= hi else np.full(hi - lo, p[-1]) for p in paths])
