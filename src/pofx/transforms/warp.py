"""Temperature, top-k and top-p: the distribution that a sampler with these settings draws from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import Floats, logsumexp
from pofx.lm.bounds import Bounds
from pofx.lm.continuation_tree import Branches, ExtensionBranches
from pofx.lm.model import LM, Warping
from pofx.lm.state import State
from pofx.lm.trace import Ints
from pofx.transforms.wrapper import LMWrapper
from pofx.values import check_real_number, check_whole_number


def warp(lm: LM, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None) -> LM:
    """Sharpen or cut every next-token distribution by temperature, top-k and top-p.

        q(v | x) ∝ p(v | x)^(1 / temperature)   over the k likeliest tokens, then over the fewest with mass top_p

    Each next-token distribution is renormalised, so q is a distribution, which `score` and `sample` share. The distributions
    are renormalised token by token, so q(x) is not p(x)^(1 / temperature) over whole strings. Among equally likely tokens
    the smaller id counts as likelier.

    Args:
        lm: The model.
        temperature: A number above 0; a temperature below 1 sharpens the distributions.
        top_k: The number of likeliest tokens to choose from; None for all tokens.
        top_p: The least mass of the likeliest tokens to choose from, in (0, 1]; None for all tokens.

    Returns:
        The model q.

    Raises:
        BadValue: A setting is outside its range.

    Right: `sample(warp(lm, temperature=0.8), 3)`. Wrong: `warp(lm, temperature=0)`; write `warp(lm, top_k=1)` for the
    likeliest token.
    """
    temperature = check_real_number(
        "temperature", temperature, 0, above=True, advice="for the likeliest token use top_k=1"
    )
    k = None if top_k is None else check_whole_number("top_k", top_k, 1)
    p = None if top_p is None else check_real_number("top_p", top_p, 0, 1, above=True)
    return Warp(lm, temperature, k, p)


class Warp(LMWrapper):
    """A model with warped next-token distributions; made by `warp`."""

    def __init__(self, lm: LM, temperature: float, top_k: int | None, top_p: float | None) -> None:
        self.temperature, self.top_k, self.top_p = temperature, top_k, top_p
        # The distribution differs from that of the weights, and top-k sets probabilities to zero.
        super().__init__(lm, replace(lm.info, fingerprint="", positive=False))

    def over(self, lm: LM) -> LM:
        """Return another model, warped by the same settings."""
        return Warp(lm, self.temperature, self.top_k, self.top_p)

    @property
    def settings(self) -> str:
        """The settings in words."""
        parts = [f"temperature {self.temperature:g}"] if self.temperature != 1 else []
        parts += [f"top-k {self.top_k}"] if self.top_k is not None else []
        parts += [f"top-p {self.top_p:g}"] if self.top_p is not None else []
        return ", ".join(parts)

    def start(self, n: int) -> State:
        """Return the state of the model, with warped distributions."""
        return self._warped(self.lm.start(n))

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Return the state of the model, with warped distributions."""
        return self._warped(self.lm.extend(state.carry, ids))

    def sufficient(self, state: State) -> NDArray[Any] | None:
        """Return the model's sufficient statistic, since warping depends on the distribution alone."""
        return self.lm.sufficient(state.carry)

    def branches(self, state: State) -> Branches:
        """Return branches by `extend`, since each distribution is warped."""
        return ExtensionBranches(self.extend, state)

    def bare(self) -> LM | None:
        """Return this model where it has no x0; else None, since the model without x0 would have other distributions."""
        return self if self.begin.known == "none" else None

    def warping(self) -> Warping:
        """Return the model before warping, and the settings."""
        return Warping(self.lm, self.settings)

    def _warped(self, inner: State) -> State:
        # The exact distribution decides which tokens a cut leaves out, so bounds on the model's distribution give no bounds
        # on the warped distribution.
        unknown = (lambda carry: Bounds.unknown(self.warped(carry.logp))) if self.interval else None
        leak = (lambda carry: carry.leak) if self.leaks else None
        return State(lambda: self.warped(inner.logp), inner, inner.n, bounds=unknown, leak=leak)

    def warped(self, logp: Floats) -> Floats:
        """Return the warped distributions of next-token distributions `[n, V]` of the model, nats."""
        out: NDArray[np.float64] = np.asarray(logp, dtype=np.float64)
        # The largest entry must be 0, since a temperature near 0 would turn a whole row into −inf.
        with np.errstate(over="ignore"):
            out = (out - out.max(axis=1, keepdims=True)) / self.temperature
        out = out - logsumexp(out)[:, None]
        if self.top_k is not None and self.top_k < out.shape[1]:
            best = np.argsort(-out, axis=1, kind="stable")
            np.put_along_axis(out, best[:, self.top_k :], -np.inf, axis=1)
            out = out - logsumexp(out)[:, None]
        if self.top_p is not None and self.top_p < 1:
            best = np.argsort(-out, axis=1, kind="stable")
            p = np.exp(np.take_along_axis(out, best, axis=1))
            # A token stays if the mass of the likelier tokens is below top_p; the likeliest token always stays.
            beyond = np.cumsum(p, axis=1) - p >= self.top_p
            beyond[:, 0] = False
            np.put_along_axis(
                out, best, np.where(beyond, -np.inf, np.take_along_axis(out, best, axis=1)), axis=1
            )
            out = out - logsumexp(out)[:, None]
        return out
