"""What a mixture passes on of its models' passes: bounds on log p, and mass on tokens that spell nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import logsumexp
from pofx.lm.model import LM
from pofx.lm.running_bounds import terms_of_sums
from pofx.lm.trace import Trace

Logs = NDArray[np.float64]


def running_bounds(lm: LM, trace: Trace, i: int) -> tuple[Logs, Logs]:
    """Bounds (low, high) of log P(x_≤j) of path i for j from before its first token on, `[n + 1]` each.

    What is computed is its own bounds; an interval of which nothing is known is all of them.
    """
    logp = trace.logp[i]
    low, high = logp, logp
    if trace.low is not None and trace.high is not None:
        low, high = trace.low[i], trace.high[i]
    elif lm.interval:
        low, high = np.full(len(logp), -np.inf), np.zeros(len(logp))
    return np.cumsum([0.0, *low]), np.cumsum([0.0, *high])


def with_extras(
    trace: Trace, lms: Sequence[LM], log_weights: Logs, traces: Sequence[Trace], skip: Sequence[int]
) -> Trace:
    """The mixture's trace with `low` and `high` where a model has bounds, and `leak` where one has a leak.

    log Σ π_c L_c ≤ log Σ π_c P_c ≤ log Σ π_c H_c, for sums keep order; behind a prefix the bounds of the whole less
    those of the prefix. A leak is that of the model drawn, so it is weighed by the posterior. traces: of each model,
    over whole paths; skip: how many positions at the front of each path are conditioned on.
    """
    if any(lm.interval for lm in lms):
        pairs = [_terms(lms, log_weights, traces, i, at) for i, at in enumerate(skip)]
        trace = replace(trace, low=tuple(a for a, _ in pairs), high=tuple(b for _, b in pairs))
    if any(t.leak is not None for t in traces):
        leaks = [mixed_leak(log_weights, traces, i)[at:] for i, at in enumerate(skip)]
        trace = replace(trace, leak=tuple(leaks))
    return trace


def _terms(
    lms: Sequence[LM], log_weights: Logs, traces: Sequence[Trace], i: int, at: int
) -> tuple[Logs, Logs]:
    each = [running_bounds(lm, t, i) for lm, t in zip(lms, traces)]
    low, high = (logsumexp(log_weights[:, None] + np.stack(b), axis=0) for b in zip(*each))
    if not at:
        return terms_of_sums(low[1:], low[0]), terms_of_sums(high[1:], high[0])
    if np.isneginf(high[at]):  # behind what is impossible anything may be
        return terms_of_sums(np.full(len(low) - at - 1, -np.inf)), np.zeros(len(low) - at - 1)
    least = low[at:] - high[at]
    with np.errstate(invalid="ignore"):
        most = np.where(np.isneginf(high[at:]), -np.inf, np.minimum(0.0, high[at:] - low[at]))
    least[0] = most[0] = 0.0
    return terms_of_sums(least[1:]), terms_of_sums(most[1:])


def mixed_leak(log_weights: Logs, traces: Sequence[Trace], i: int) -> Logs:
    """Mass on control tokens at each position, under the posterior behind what comes before it, `[n]`."""
    logp = np.stack([t.logp[i] for t in traces])
    joint = np.cumsum(np.concatenate([log_weights[:, None], logp[:, :-1]], axis=1), axis=1)[
        :, : logp.shape[1]
    ]
    total = logsumexp(joint, axis=0)
    weights = np.where(
        np.isneginf(total),
        np.exp(log_weights)[:, None],
        np.exp(joint - np.where(np.isneginf(total), 0.0, total)),
    )
    zero = np.zeros(logp.shape[1])
    out: Logs = np.sum(weights * np.stack([zero if t.leak is None else t.leak[i] for t in traces]), axis=0)
    return out
