"""Linear interpolation: the weights are the same at every token, whatever came before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.em import mixture_weights
from pofx.algorithms.logspace import Floats, logsumexp
from pofx.errors import BadValue
from pofx.lm import LM, forward_by_extension, whole_texts
from pofx.state import State
from pofx.trace import Ints, Path, Trace, Want
from pofx.transforms.mixture import check_components, joint_begin, shared_terms


def interpolate(
    lms: Sequence[LM], weights: Sequence[float] | None = None, held_out: Sequence[str | bytes] | None = None
) -> LM:
    """p(v | x_<i) = Σ_c w_c p_c(v | x_<i) (Jelinek & Mercer 1980): a new draw of the model at every token.

    weights: w, normalised here; or found by expectation–maximisation as those that make `held_out` texts
    likeliest (texts that no component was fitted on). One of the two. All models share one vocabulary.

    Right: `interpolate([ngram, transformer], held_out=texts_kept_aside)`. Wrong: weights found on the training
    texts, which favour the model that memorised them. `mixture` instead weighs whole texts.
    """
    if (weights is None) == (held_out is None):
        raise BadValue("expected either weights or held_out texts to find them on, found both or neither")
    if held_out is not None:
        weights = interpolation_weights(lms, held_out).tolist()
    return Interpolation(lms, check_components(lms, weights))


def interpolation_weights(lms: Sequence[LM], held_out: Sequence[str | bytes]) -> NDArray[np.float64]:
    """The weights that maximise Σ log p of the held-out texts, EOS counted; `[models]`, sums to 1."""
    check_components(lms, None)
    if isinstance(held_out, str | bytes):
        raise BadValue("held_out: expected a list of texts, found one text; write [text]")
    paths, skips = whole_texts(lms[0], held_out)  # the same for all: one vocabulary, and x0 for all or none
    rows = [lm.forward(paths, skip=skips).logp for lm in lms]
    if not sum(len(p) for p in paths):
        raise BadValue("held_out: expected at least one text, found none")
    return mixture_weights(np.stack([np.concatenate(r) for r in rows]))


class Interpolation(LM):
    """Laws mixed with fixed weights; made by `interpolate`."""

    def __init__(self, lms: Sequence[LM], log_weights: NDArray[np.float64]) -> None:
        self.lms, self.log_weights = tuple(lms), log_weights
        self.vocab, self.begin = lms[0].vocab, joint_begin(lms)
        self.context, self.window, self.dtype = shared_terms(lms)
        self.interval = any(lm.interval for lm in lms)

    def start(self, n: int) -> State:
        """Every model at its start."""
        return self._state(tuple(lm.start(n) for lm in self.lms))

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Every model goes on."""
        return self._state(tuple(lm.extend(s, ids) for lm, s in zip(self.lms, state.carry)))

    def seen(self, n: int) -> Ints:
        """Of the model that sees most."""
        most: Ints = np.max([lm.seen(n) for lm in self.lms], axis=0)
        return most

    def _state(self, states: tuple[State, ...]) -> State:
        def law() -> Floats:
            return logsumexp(np.stack([s.logp + w for w, s in zip(self.log_weights, states)]), axis=0)

        return State(law, states, states[0].n)

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """Each model's own pass, mixed position by position."""
        if want.rows:
            return forward_by_extension(self, paths, want, skip)
        traces = [lm.forward(paths, skip=skip) for lm in self.lms]
        return Trace(
            tuple(
                logsumexp(np.stack([t.logp[i] + w for w, t in zip(self.log_weights, traces)]), axis=0)
                for i in range(len(paths))
            )
        )
