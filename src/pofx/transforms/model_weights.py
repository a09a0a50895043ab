"""The weights of the models of a mixture after a text, and their update by Bayes' rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import logsumexp
from pofx.lm.trace import Ints


@dataclass(frozen=True, eq=False)
class ModelWeights:
    """The weights of C models after n texts.

    Attributes:
        posterior: Log of the weight of each model after each text, `[n, C]`, nats.
        total: log P_c of each text, `[n, C]`, nats; only for models without bounds.
        scale: Log of the mass of the empty text on the scale of a model's bounds, `[n, C]`, nats.
        fresh: Whether the next token is the first token of a text, and there is no x0, `[n]`.
    """

    posterior: NDArray[np.float64]
    total: NDArray[np.float64]
    scale: NDArray[np.float64]
    fresh: NDArray[np.bool_]

    def take(self, rows: Ints) -> ModelWeights:
        """Return the weights after the texts `rows`."""
        return ModelWeights(self.posterior[rows], self.total[rows], self.scale[rows], self.fresh[rows])

    def cat(self, others: Sequence[ModelWeights]) -> ModelWeights:
        """Return the weights after these texts, followed by the weights after the other texts."""
        every = [self, *others]
        return ModelWeights(
            *(np.concatenate([getattr(k, f.name) for k in every]) for f in fields(ModelWeights))
        )

    def gained(self, rows: Ints, gain: NDArray[np.float64]) -> ModelWeights:
        """Return the weights after one more token of some texts; gain: log p_c of the token, `[rows, C]`, nats."""
        posterior, total = self.posterior.copy(), self.total.copy()
        posterior[rows] = update_posterior(posterior[rows], gain)
        total[rows] += gain
        return replace(self, posterior=posterior, total=total)


def update_posterior(posterior: NDArray[np.float64], gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the posterior after one more token, by Bayes' rule; a token impossible under every model changes nothing.

    Args:
        posterior: Log of the weights, a row a text, `[n, C]`, nats.
        gain: log p_c of the next token, `[n, C]`, nats.
    """
    joint = posterior + gain
    total = logsumexp(joint, axis=1)[:, None]
    dead = np.isneginf(total)
    return np.where(dead, posterior, joint - np.where(dead, 0.0, total))
