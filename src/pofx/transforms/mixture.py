"""A mixture of whole-string distributions: the weights are a prior, and the text read so far updates it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import Floats, logsumexp
from pofx.errors import BadValue
from pofx.lm import LM, Begin, forward_by_extension, id_rows, per_path
from pofx.state import State
from pofx.trace import Ints, Path, Trace, TraceBuilder, Want
from pofx.transforms.bytewise import Bytewise, bytewise
from pofx.transforms.mixture_bounds import with_extras
from pofx.values import shares, whole


def mixture(lms: Sequence[LM], weights: Sequence[float] | None = None, beam: int | None = None) -> LM:
    """p(x) = Σ_c π_c p_c(x): draw a model by π, then the whole text from it.

    Its next-token law mixes the laws of the models by their posterior, π_c P_c(x_<i) / Σ: the model that has
    predicted the text better so far counts more, and the regret against the best one is at most −log π_c nats
    a text. weights: π, normalised here; equal without. What they become behind a text: `posterior`.

    Models of different vocabularies speak of different events; what they share is strings, so each then enters as
    `bytewise(lm, beam)`: the sum over all its spellings, or with a beam bounds on it, which the mixture passes on
    (`Trace.low`, `.high`). beam: of that; only where vocabularies differ. `BadValue` where some models have x0 or
    EOS and some have not; `NoBOS` for different vocabularies without x0.

    Right: `mixture([news, plays], [0.5, 0.5])`. Wrong: averaging log_prob, which is no distribution. For weights
    that stay fixed at every token see `interpolate`.
    """
    lms = list(lms)
    beam = None if beam is None else whole("beam", beam, 1)
    _check_ends(lms)
    if any(not same_vocab(lm, lms[0]) for lm in lms[1:]):
        lms = [bytewise(lm, beam) for lm in lms]
    elif beam is not None:
        raise BadValue(
            f"beam: expected models over different vocabularies, which enter as bytewise(lm, beam), found one "
            f"vocabulary and beam={beam!r}; leave it out"
        )
    return Mixture(lms, check_components(lms, weights))


def same_vocab(a: LM, b: LM) -> bool:
    """Whether the ids of two models mean the same."""
    alike = a.vocab.normalizes == b.vocab.normalizes
    return alike and a.vocab.end == b.vocab.end and a.vocab.token_bytes == b.vocab.token_bytes


def _check_ends(lms: Sequence[LM]) -> None:
    if len({lm.vocab.end is None for lm in lms}) > 1:
        raise BadValue(
            "expected all models with EOS or all without, found both; fit them with the same end=, or give those "
            "without a token that ends texts: load(source, end=TOKEN) (--end TOKEN)"
        )
    if len({lm.begin.known == "none" for lm in lms}) > 1:
        raise BadValue(
            "expected all models with x0 or all without, found both; fit them with the same begin=, or give those without a "
            "token that stands for it: load(source, begin=TOKEN) (--begin TOKEN)"
        )


def check_components(lms: Sequence[LM], weights: Sequence[float] | None) -> NDArray[np.float64]:
    """The log weights; `BadValue` where the models do not go together."""
    if not lms:
        raise BadValue("expected at least one model to mix, found none")
    pi = np.array([1.0] * len(lms) if weights is None else shares("weights", weights, len(lms)))
    for lm in lms[1:]:
        if not same_vocab(lm, lms[0]):
            raise BadValue(
                f"expected models over one vocabulary, found {lms[0].vocab.size} and {lm.vocab.size} outcomes that "
                "spell different things; fit them with the same vocab"
            )
    _check_ends(lms)
    with np.errstate(divide="ignore"):
        out: NDArray[np.float64] = np.log(pi / pi.sum())
    return out


class Mixture(LM):
    """Posterior-weighted laws; made by `mixture`."""

    def __init__(self, lms: Sequence[LM], log_weights: NDArray[np.float64]) -> None:
        self.lms, self.log_weights = tuple(lms), log_weights
        self.vocab, self.begin = lms[0].vocab, joint_begin(lms)
        self.context, self.window, self.dtype = shared_terms(lms)
        self.interval = any(lm.interval for lm in lms)
        # Whether traces carry bounds or a leak.
        self._extras = self.interval or any(isinstance(lm, Bytewise) for lm in lms)

    def seen(self, n: int) -> Ints:
        """All of the path, whatever the models see: it decides how much each of them counts."""
        return np.arange(n, dtype=np.int64) + (self.begin.known != "none")

    def start(self, n: int) -> State:
        """The prior, and every model at its start."""
        posterior = np.tile(self.log_weights, (n, 1))
        fresh = np.full(n, self.begin.known == "none")
        return self._state(posterior, fresh, tuple(lm.start(n) for lm in self.lms))

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Every model goes on, and each token tells of them (the first one does not, where there is no x0)."""
        new = id_rows(ids, state.n)
        posterior, fresh, *inner = state.carry
        states = tuple(inner)
        for token in new.T:
            if not fresh.all():
                seen = np.flatnonzero(~fresh)
                gain = np.stack(
                    [s.take(seen).logp[np.arange(len(seen)), token[seen]] for s in states], axis=1
                )
                posterior = posterior.copy()
                posterior[seen] = updated(posterior[seen], gain)
            fresh = np.zeros_like(fresh)
            states = tuple(lm.extend(s, token[:, None]) for lm, s in zip(self.lms, states))
        return self._state(posterior, fresh, states)

    def _state(
        self, posterior: NDArray[np.float64], fresh: NDArray[np.bool_], states: tuple[State, ...]
    ) -> State:
        def law() -> Floats:
            return logsumexp(np.stack([s.logp + posterior[:, c, None] for c, s in enumerate(states)]), axis=0)

        return State(law, (posterior, fresh, *states), len(posterior))

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """Each model's own pass; the mixture's log p of token i is log Σ π_c P_c(x_≤i) − log Σ π_c P_c(x_<i)."""
        ids = [np.asarray(p, dtype=np.int64) for p in paths]
        skips = per_path(skip, ids)
        # Positions before `skip` tell of the models, too; without x0 the first one cannot.
        free = [min(s, 1) if self.begin.known == "none" else 0 for s in skips]
        if want.rows and not self._extras:
            return forward_by_extension(self, ids, want, skips)
        traces = [lm.forward(ids, skip=free) for lm in self.lms]
        behind = [s - f for s, f in zip(skips, free)]
        if want.rows:
            return with_extras(
                forward_by_extension(self, ids, want, skips), self.lms, self.log_weights, traces, behind
            )
        out = TraceBuilder([len(p) - s for p, s in zip(ids, skips)], want, self.vocab.end)
        for i, at in enumerate(behind):
            gains = self._gains(np.stack([t.logp[i] for t in traces]))[at:]
            out.logp[out.offset(i) : out.offset(i) + len(gains)] = gains
        return with_extras(out.done(), self.lms, self.log_weights, traces, behind)

    def _gains(self, logp: NDArray[np.float64]) -> NDArray[np.float64]:
        """log p of each token under the mixture, from that under each model, `[models, positions]`."""
        joint = np.cumsum(np.concatenate([self.log_weights[:, None], logp], axis=1), axis=1)
        evidence = logsumexp(joint, axis=0)
        if not np.isneginf(evidence[:-1]).any():
            return np.diff(evidence)
        # Behind an impossible token: the definition, a token at a time.
        posterior, gains = self.log_weights[None, :], np.empty(logp.shape[1])
        for j, gain in enumerate(logp.T):
            gains[j] = logsumexp(posterior[0] + gain)
            posterior = updated(posterior, gain[None, :])
        return gains


def updated(posterior: NDArray[np.float64], gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bayes' rule in logs, a row a text. A token impossible under every model tells nothing of them."""
    joint = posterior + gain
    total = logsumexp(joint, axis=1)[:, None]
    dead = np.isneginf(total)
    return np.where(dead, posterior, joint - np.where(dead, 0.0, total))


def joint_begin(lms: Sequence[LM]) -> Begin:
    """x0 of several models together: what they share, else the weakest knowledge among them."""
    order = ("none", "assumed", "declared", "trained")
    return min((lm.begin for lm in lms), key=lambda b: order.index(b.known))


def shared_terms(lms: Sequence[LM]) -> tuple[int | None, str, str]:
    """Context, window rule and dtype of several models together."""
    contexts = [lm.context for lm in lms if lm.context is not None]
    window = " | ".join(dict.fromkeys(lm.window for lm in lms))
    return min(contexts, default=None), window, " | ".join(dict.fromkeys(lm.dtype for lm in lms))
