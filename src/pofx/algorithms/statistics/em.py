"""Expectation–maximisation for the weights of a mixture whose components are fixed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import logsumexp


def mixture_weights(
    logp: NDArray[np.float64], tolerance: float = 1e-9, most: int = 1000
) -> NDArray[np.float64]:
    """Return the weights that make events likeliest: argmax over w of Σ_i log Σ_c w_c p_c(i).

    Each step gives a component the average of its posterior (Dempster, Laird & Rubin 1977). The objective never falls and
    is concave, so the limit is the maximum. The iteration ends when a step gains less than `tolerance` nats an event.

    Args:
        logp: `[components, events]`, log p_c(i) of component c and event i, nats.
        tolerance: The least gain of a step, in nats an event.
        most: The most steps of the iteration.

    Returns:
        `[components]`, the weights, which sum to 1.
    """
    w = np.full(len(logp), 1.0 / len(logp))
    usable = logp[:, np.isfinite(logp).any(axis=0)]
    if not usable.shape[1]:
        return w
    before = -np.inf
    for _ in range(most):
        with np.errstate(divide="ignore"):
            joint = usable + np.log(w)[:, None]
        total = logsumexp(joint, axis=0)
        now = float(total.mean())
        w = np.exp(joint - total).mean(axis=1)
        w /= w.sum()
        if now - before < tolerance:
            break
        before = now
    return w
