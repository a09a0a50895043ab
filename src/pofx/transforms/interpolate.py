"""Linear interpolation: next-token distributions are averaged with the same weights at every token."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import Floats, logsumexp
from pofx.algorithms.statistics.em import mixture_weights
from pofx.errors import BadValue
from pofx.lm.bounds import Bounds
from pofx.lm.model import LM, Parts, encode_whole_texts, set_info
from pofx.lm.running_bounds import unknown_terms
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, Want
from pofx.transforms.mixture import check_components, joint_info


def interpolate(
    lms: Sequence[LM], weights: Sequence[float] | None = None, held_out: Sequence[str | bytes] | None = None
) -> LM:
    """Mix the next-token distributions of models by fixed weights (Jelinek & Mercer 1980).

        p(v | x_<i) = Σ_c w_c p_c(v | x_<i)

    The result is the distribution of texts for which a model is drawn at every token.

    Args:
        lms: Models over one vocabulary.
        weights: w, in any scale. Either `weights` or `held_out` is given.
        held_out: Texts that no model was fitted on. Expectation–maximisation finds the weights of the largest log p of
            these texts.

    Returns:
        The interpolated model.

    Raises:
        BadValue: Neither or both of `weights` and `held_out` are given, or the models do not go together.

    Right: `interpolate([ngram, transformer], held_out=new_texts)`. Wrong: `held_out=training_texts`, which favours the model
    that memorised them.
    """
    if (weights is None) == (held_out is None):
        raise BadValue(
            "expected either weights or held_out texts, got both or neither",
            "pass one of the two arguments",
        )
    if held_out is not None:
        weights = interpolation_weights(lms, held_out).tolist()
    return Interpolation(lms, check_components(lms, weights))


def interpolation_weights(lms: Sequence[LM], held_out: Sequence[str | bytes]) -> NDArray[np.float64]:
    """Return the weights that maximise Σ log p of held-out texts, EOS counted.

    Args:
        lms: Models over one vocabulary.
        held_out: Texts that no model was fitted on.

    Returns:
        The weights, `[models]`; they sum to 1.
    """
    check_components(lms, None)
    if isinstance(held_out, str | bytes):
        raise BadValue("expected a list of texts, got one text", "write [text]", argument="held_out")
    # All models have the same paths, since they share a vocabulary, and all have x0 or none has.
    paths, skips = encode_whole_texts(lms[0], held_out)
    rows = [lm.forward(paths, skip=skips).logp for lm in lms]
    if not sum(len(p) for p in paths):
        raise BadValue(
            "expected at least one text, got none",
            "pass texts that no model was fitted on",
            argument="held_out",
        )
    return mixture_weights(np.stack([np.concatenate(r) for r in rows]))


class Interpolation(LM):
    """A model whose distributions are averages with fixed weights; made by `interpolate`."""

    def __init__(self, lms: Sequence[LM], log_weights: NDArray[np.float64]) -> None:
        self.lms, self.log_weights = tuple(lms), log_weights
        set_info(self, joint_info(lms))

    def parts(self) -> Parts:
        """Return the models, of which one is drawn for each token."""
        return Parts(self.lms, self.log_weights, "token")

    def start(self, n: int) -> State:
        """Return the states of all models at the start, with averaged distributions."""
        return self._state(tuple(lm.start(n) for lm in self.lms))

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Return the extended states of all models, with averaged distributions."""
        return self._state(tuple(lm.extend(s, ids) for lm, s in zip(self.lms, state.carry)))

    def seen(self, n: int) -> Ints:
        """Return the effective context of the model that sees most."""
        most: Ints = np.max([lm.seen(n) for lm in self.lms], axis=0)
        return most

    def _state(self, states: tuple[State, ...]) -> State:
        return State(
            lambda: self._averaged(states),
            states,
            states[0].n,
            # The mass that a model leaves out of a prefix counts again at every token, so sums of bounds are no bounds.
            bounds=(lambda carry: Bounds.unknown(self._averaged(carry))) if self.interval else None,
            leak=self._leak if self.leaks else None,
        )

    def _averaged(self, states: tuple[State, ...]) -> Floats:
        return logsumexp(np.stack([s.logp + w for w, s in zip(self.log_weights, states)]), axis=0)

    def _leak(self, states: tuple[State, ...]) -> NDArray[np.float64]:
        leaks = [np.zeros(s.n) if s.leak is None else s.leak for s in states]
        out: NDArray[np.float64] = np.exp(self.log_weights) @ np.stack(leaks)
        return out

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """Return the passes of the models, averaged position by position."""
        if want.rows:
            return super().forward(paths, want, skip)
        traces = [lm.forward(paths, skip=skip) for lm in self.lms]
        logp = tuple(
            logsumexp(np.stack([t.logp[i] + w for w, t in zip(self.log_weights, traces)]), axis=0)
            for i in range(len(paths))
        )
        low, high = unknown_terms(logp) if self.interval else (None, None)
        return Trace(logp, low=low, high=high, leak=self._leaks(traces, logp) if self.leaks else None)

    def _leaks(
        self, traces: Sequence[Trace], logp: Sequence[NDArray[np.float64]]
    ) -> tuple[NDArray[np.float64], ...]:
        weights = np.exp(self.log_weights)
        return tuple(
            sum((w * t.leak[i] for w, t in zip(weights, traces) if t.leak is not None), np.zeros(len(p)))
            for i, p in enumerate(logp)
        )
