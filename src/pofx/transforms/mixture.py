"""A mixture of distributions over whole strings: the weights are a prior, which the text so far updates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import Floats, logsumexp
from pofx.arithmetic import join_engines
from pofx.errors import Advice, BadValue
from pofx.lm.begin import Begin
from pofx.lm.bounds import Bounds
from pofx.lm.forward_by_extension import forward_by_extension
from pofx.lm.info import Info
from pofx.lm.model import LM, Parts, set_info
from pofx.lm.paths import as_id_rows, skip_per_path
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, TraceBuilder, Want
from pofx.lm.window_rule import join_rules
from pofx.transforms.bytewise.bytewise import bytewise
from pofx.transforms.mixture_bounds import with_extras
from pofx.transforms.model_weights import ModelWeights, update_posterior
from pofx.values import check_weights, check_whole_number


def mixture(lms: Sequence[LM], weights: Sequence[float] | None = None, beam: int | None = None) -> LM:
    """Mix models over whole texts: draw a model by its weight π_c, then the whole text from this model.

        p(x) = Σ_c π_c p_c(x)

    The next-token distribution is the mean of the models' distributions, weighed by the posterior π_c P_c(x_<i) / Σ. A model
    that has predicted the text better so far counts more. The regret against the best model is at most −log π_c nats a
    text. `posterior` gives the weights after a text; `interpolate` has the same weights at every token.

    Tokens of different vocabularies are different events, but their strings are the same. Where vocabularies differ,
    `bytewise(lm, beam)` takes the place of each model. With a beam these models have bounds, and so has the mixture
    (`Trace.low`, `Trace.high`).

    Args:
        lms: The models; all have x0 or none has, and all have EOS or none has.
        weights: π, in any scale, a number for each model; None for equal weights.
        beam: The most histories of `bytewise`; only for models of different vocabularies.

    Returns:
        The mixture.

    Raises:
        BadValue: Some models have x0 or EOS and some have not, or a beam is given for one vocabulary.
        NoBOS: The vocabularies differ, and the models have no x0.

    Right: `mixture([news, plays], [0.5, 0.5])`. Wrong: the mean of `log_prob` over models, which belongs to no distribution.
    """
    lms = list(lms)
    beam = None if beam is None else check_whole_number("beam", beam, 1)
    _check_ends(lms)
    if any(not same_vocab(lm, lms[0]) for lm in lms[1:]):
        lms = [bytewise(lm, beam) for lm in lms]
    elif beam is not None:
        raise BadValue(
            "expected models over different vocabularies, which are mixed as bytewise(lm, beam), got one "
            f"vocabulary and beam={beam!r}",
            "leave beam out",
            argument="beam",
        )
    return Mixture(lms, check_components(lms, weights))


def same_vocab(a: LM, b: LM) -> bool:
    """Return whether two models have the same tokens under the same ids."""
    alike = a.vocab.normalizes == b.vocab.normalizes
    return alike and a.vocab.end == b.vocab.end and a.vocab.token_bytes == b.vocab.token_bytes


def _check_ends(lms: Sequence[LM]) -> None:
    if len({lm.vocab.end is None for lm in lms}) > 1:
        raise BadValue(
            "expected all models with EOS or all without, got both",
            [
                "fit all models with EOS or all without",
                Advice(
                    "name a token that ends texts for each model without EOS",
                    "load(source, end=TOKEN)",
                    "--end TOKEN",
                ),
            ],
        )
    if len({lm.begin.known == "none" for lm in lms}) > 1:
        raise BadValue(
            "expected all models with x0 or all without, got both",
            [
                "fit all models with x0 or all without",
                Advice(
                    "name a token that stands for x0 for each model without x0",
                    "load(source, begin=TOKEN)",
                    "--begin TOKEN",
                ),
            ],
        )


def check_components(lms: Sequence[LM], weights: Sequence[float] | None) -> NDArray[np.float64]:
    """Return the log weights of models that go together.

    Args:
        lms: The models.
        weights: Their weights, in any scale; None for equal weights.

    Returns:
        The logarithms of the normalised weights, `[models]`, nats.

    Raises:
        BadValue: There is no model, or the models differ in vocabulary, x0 or EOS.
    """
    if not lms:
        raise BadValue("expected at least one model to mix, got none", "pass a list of models")
    pi = np.array([1.0] * len(lms) if weights is None else check_weights("weights", weights, len(lms)))
    for lm in lms[1:]:
        if not same_vocab(lm, lms[0]):
            raise BadValue(
                f"expected models over one vocabulary, got vocabularies of {lms[0].vocab.size} and {lm.vocab.size} "
                "outcomes that spell different bytes",
                "fit all models with the same vocab",
            )
    _check_ends(lms)
    with np.errstate(divide="ignore"):
        out: NDArray[np.float64] = np.log(pi / pi.sum())
    return out


class Mixture(LM):
    """A model whose distributions are averages by the posterior of its models; made by `mixture`."""

    def __init__(self, lms: Sequence[LM], log_weights: NDArray[np.float64]) -> None:
        self.lms, self.log_weights = tuple(lms), log_weights
        set_info(self, joint_info(lms))

    def parts(self) -> Parts:
        """Return the models, of which one is drawn for a whole text."""
        return Parts(self.lms, self.log_weights, "text")

    def seen(self, n: int) -> Ints:
        """Return the whole prefix as the effective context, since every token changes the weights of the models."""
        return np.arange(n, dtype=np.int64) + (self.begin.known != "none")

    def start(self, n: int) -> State:
        """Return the states of all models at the start, with the prior as weights."""
        posterior = np.tile(self.log_weights, (n, 1))
        states = tuple(lm.start(n) for lm in self.lms)
        scale = np.zeros((n, len(states)))
        for c, s in enumerate(states):
            if self.lms[c].interval and s.bounds is not None:
                scale[:, c] = s.bounds.most
        fresh = np.full(n, self.begin.known == "none")
        return self._state(ModelWeights(posterior, np.zeros_like(scale), scale, fresh), states)

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Return the extended states of all models; each token updates the posterior, except a first token without x0."""
        weights, states = state.carry
        for token in as_id_rows(ids, state.n).T:
            if not weights.fresh.all():
                seen = np.flatnonzero(~weights.fresh)
                gain = np.stack(
                    [s.take(seen).logp[np.arange(len(seen)), token[seen]] for s in states], axis=1
                )
                weights = weights.gained(seen, gain)
            weights = replace(weights, fresh=np.zeros_like(weights.fresh))
            states = tuple(lm.extend(s, token[:, None]) for lm, s in zip(self.lms, states))
        return self._state(weights, states)

    def _state(self, weights: ModelWeights, states: tuple[State, ...]) -> State:
        def logp() -> Floats:
            return logsumexp(
                np.stack([s.logp + weights.posterior[:, c, None] for c, s in enumerate(states)]), axis=0
            )

        return State(
            logp,
            (weights, states),
            len(weights.posterior),
            bounds=self._bounds if self.interval else None,
            leak=_leak if self.leaks else None,
        )

    def _bounds(self, carry: tuple[ModelWeights, tuple[State, ...]]) -> Bounds:
        """Return Σ_c π_c of the masses that each model counts, and of the masses that each model leaves out."""
        weights, states = carry
        each = []
        for c, s in enumerate(states):
            bounds = s.bounds if self.lms[c].interval else None
            if bounds is None:
                bounds = Bounds.exact(weights.total[:, c], s.logp)
            weight = self.log_weights[c] - weights.scale[:, c]
            each.append(Bounds(bounds.kept + weight, bounds.dropped + weight, bounds.logp))
        kept = logsumexp(np.stack([b.kept for b in each]), axis=0)
        counted = logsumexp(np.stack([b.kept[:, None] + b.logp for b in each]), axis=0)
        mass = np.where(np.isneginf(kept), 0.0, kept)[:, None]
        return Bounds(kept, logsumexp(np.stack([b.dropped for b in each]), axis=0), counted - mass)

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """Return log p of each token i from the passes of the models: log Σ π_c P_c(x_≤i) − log Σ π_c P_c(x_<i)."""
        ids = [np.asarray(p, dtype=np.int64) for p in paths]
        skips = skip_per_path(skip, ids)
        # Tokens before `skip` update the posterior, too, except the first token of models without x0.
        free = [min(s, 1) if self.begin.known == "none" else 0 for s in skips]
        if want.rows and not self.interval and not self.leaks:
            return forward_by_extension(self, ids, want, skips)
        traces = [lm.forward(ids, skip=free) for lm in self.lms]
        given = [s - f for s, f in zip(skips, free)]
        if want.rows:
            return with_extras(
                forward_by_extension(self, ids, want, skips), self.lms, self.log_weights, traces, given
            )
        out = TraceBuilder([len(p) - s for p, s in zip(ids, skips)], want, self.vocab.end)
        for i, at in enumerate(given):
            gains = self._gains(np.stack([t.logp[i] for t in traces]))[at:]
            out.logp[out.offset(i) : out.offset(i) + len(gains)] = gains
        return with_extras(out.build(), self.lms, self.log_weights, traces, given)

    def _gains(self, logp: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mixture's log p of each token, `[n]`, from log p under each model, `[models, n]`, nats."""
        joint = np.cumsum(np.concatenate([self.log_weights[:, None], logp], axis=1), axis=1)
        evidence = logsumexp(joint, axis=0)
        if not np.isneginf(evidence[:-1]).any():
            return np.diff(evidence)
        # After an impossible token the differences are nan, so log p is computed by the definition, a token at a time.
        posterior, gains = self.log_weights[None, :], np.empty(logp.shape[1])
        for j, gain in enumerate(logp.T):
            gains[j] = logsumexp(posterior[0] + gain)
            posterior = update_posterior(posterior, gain[None, :])
        return gains


def _leak(carry: tuple[ModelWeights, tuple[State, ...]]) -> NDArray[np.float64]:
    """Return the leaks of the models, averaged by the posterior, `[n]`."""
    weights, states = carry
    leaks = np.stack([np.zeros(s.n) if s.leak is None else s.leak for s in states], axis=1)
    out: NDArray[np.float64] = np.sum(np.exp(weights.posterior) * leaks, axis=1)
    return out


def joint_begin(lms: Sequence[LM]) -> Begin:
    """Return the x0 of several models together: the least well known x0 of the models."""
    order = ("none", "assumed", "declared", "trained")
    return min((lm.begin for lm in lms), key=lambda b: order.index(b.known))


def joint_info(lms: Sequence[LM]) -> Info:
    """Return the description of several models over one vocabulary together.

    Properties that only some models have are left out: there is no fingerprint and no bounded memory.
    """
    contexts = [lm.context for lm in lms if lm.context is not None]
    ruling = [lm for lm in lms if lm.context is not None] or lms
    return Info(
        vocab=lms[0].vocab,
        context=min(contexts, default=None),
        begin=joint_begin(lms),
        window=join_rules([lm.window for lm in lms], beyond=all(lm.window.beyond for lm in ruling)),
        dtype=" | ".join(dict.fromkeys(lm.dtype for lm in lms)),
        rounding=max(lm.rounding for lm in lms),
        work=sum(lm.work for lm in lms),
        interval=any(lm.interval for lm in lms),
        leaks=any(lm.leaks for lm in lms),
        fitted=tuple(record for lm in lms for record in lm.fitted),
        engine=join_engines(lm.engine for lm in lms),
    )
