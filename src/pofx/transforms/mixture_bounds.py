"""The bounds and the leak of a mixture, from the passes of its models."""

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
    """Return bounds (low, high) of log P(x_≤j) of path i, from before the first token on, `[n + 1]` nats each.

    Both bounds of a model without bounds are log P itself. A model whose bounds are missing has 0 ≤ P ≤ 1.

    Args:
        lm: The model.
        trace: Its pass over whole paths.
        i: The number of the path.
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
    """Add `low`, `high` and `leak` to the trace of a mixture, where a model has bounds or a leak.

        log Σ π_c L_c ≤ log Σ π_c P_c ≤ log Σ π_c H_c

    After a prefix a bound is the difference of a bound of the whole text and the opposite bound of the prefix. The leak is
    the average of the models' leaks by the posterior.

    Args:
        trace: The trace of the mixture.
        lms: The models.
        log_weights: Log of the prior, `[models]`, nats.
        traces: The trace of each model over whole paths.
        skip: The number of first positions of each path that are conditioned on.
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
    if np.isneginf(high[at]):  # after an impossible prefix any distribution is possible
        return terms_of_sums(np.full(len(low) - at - 1, -np.inf)), np.zeros(len(low) - at - 1)
    least = low[at:] - high[at]
    with np.errstate(invalid="ignore"):
        most = np.where(np.isneginf(high[at:]), -np.inf, np.minimum(0.0, high[at:] - low[at]))
    least[0] = most[0] = 0.0
    return terms_of_sums(least[1:]), terms_of_sums(most[1:])


def mixed_leak(log_weights: Logs, traces: Sequence[Trace], i: int) -> Logs:
    """Return the leaks of the models at each position of path i, averaged by the posterior there, `[n]`."""
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
