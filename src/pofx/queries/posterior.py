"""The posterior of the models of a mixture given a text, by Bayes' rule, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import logsumexp
from pofx.errors import BadValue
from pofx.interactive.shown import Shown
from pofx.lm.begin import refuse_unconditional
from pofx.lm.model import LM
from pofx.lm.trace import Ints
from pofx.queries.scoring.inputs import name_normalizers, read_texts
from pofx.queries.scoring.terms import Terms, terms
from pofx.transforms.mixture_bounds import mixed_leak, running_bounds
from pofx.transforms.model_weights import update_posterior
from pofx.vocab.vocabulary import to_bytes

Logs = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class MixturePosterior(Shown):
    """One text under a mixture of K models; EOS is counted where the models have it.

    `total` is log p(x) of the mixture, by which Bayes' rule divides; in other records this number is `log_evidence`.

    Attributes:
        text: The text.
        prior: log π_c of each model, nats, `[K]`.
        evidence: log p_c(x), the log-likelihood of each model, nats, `[K]`.
        posterior: log π_c p_c(x) / Σ_k π_k p_k(x), nats, `[K]`; the prior for a text impossible under every model.
        path: Log posterior before each token and after the last token, nats, `[t + 1, K]`; with EOS one row more.
        low: Lower bounds of `evidence`, nats, `[K]`; equal to `evidence` where nothing was left out.
        high: Upper bounds of `evidence`, nats, `[K]`; equal to `evidence` where nothing was left out.
        terms: The terms that were counted, and their rules.

    Right: `posterior(mixture([en, fr]), ["Bonjour"])[0].best`. Wrong: `evidence` as a posterior, since it leaves out the
    prior.
    """

    text: str | bytes
    prior: Logs
    evidence: Logs
    posterior: Logs
    path: Logs
    low: Logs
    high: Logs
    terms: Terms

    @property
    def total(self) -> float:
        """Log p(x) = log Σ π_c p_c(x), nats, as `log_prob` of the mixture gives it."""
        return float(logsumexp(self.prior + self.evidence))

    @property
    def best(self) -> int:
        """The number of the model that predicts the text best, without regard to the prior."""
        return int(np.argmax(self.evidence))

    @property
    def regret(self) -> float:
        """The cost of not knowing the model, max log p_c(x) − log p(x), nats: at most −log π of the best model."""
        most = float(self.evidence.max())
        return 0.0 if np.isneginf(most) else most - self.total

    @property
    def intervals(self) -> NDArray[np.float64]:
        """Bounds (low, high) of each model's log posterior, nats, `[K, 2]`, for any likelihoods within their bounds."""
        out = np.empty((len(self.prior), 2))
        for c in range(len(out)):
            others = np.arange(len(out)) != c
            for side, mine, theirs in ((0, self.low, self.high), (1, self.high, self.low)):
                own = self.prior[c] + mine[c]
                whole = np.logaddexp(own, logsumexp((self.prior + theirs)[others]))
                out[c, side] = -np.inf if np.isneginf(own) else own - whole
        return out


def posterior(lm: LM, texts: Sequence[str | bytes]) -> list[MixturePosterior]:
    """Compute p(c | x) = π_c p_c(x) / Σ_k π_k p_k(x) for the models c of a `mixture`.

    Texts are complete, so EOS is counted. A row of `path` has the posterior after a prefix.

    Args:
        lm: A `mixture`.
        texts: A list of texts.

    Returns:
        One record a text, in order.

    Raises:
        BadValue: `lm` is no mixture. An `interpolate` is none, since it draws a model at every token.
        NoBOS: The models have no x0.

    Right: `posterior(mixture([en, fr]), ["Bonjour"])[0].posterior`. Wrong: comparing models by bits a token, where each
    has its own vocabulary.
    """
    parts = lm.parts()
    if parts is None or parts.draws != "text":
        raise BadValue(
            f"expected a mixture of models, as mixture([…]) makes it, got {type(lm).__name__}",
            "pass mixture([…])",
        )
    if isinstance(texts, str | bytes):
        raise BadValue(
            "expected a list of texts, got one text", "write posterior(lm, [text])", argument="texts"
        )
    if lm.begin.known == "none":
        raise refuse_unconditional(lm.begin, "log p_c(x), the likelihood of a model,")
    texts, changed = read_texts(lm, texts)
    end = [] if lm.vocab.end is None else [lm.vocab.end]
    paths: list[Ints] = [np.append(ids, end).astype(np.int64) for ids in lm.vocab.encode_many(texts)]
    traces = [m.forward(paths) for m in parts.lms]
    out = []
    for i, text in enumerate(texts):
        logp = np.stack([t.logp[i] for t in traces])
        bounds = np.array([[b[-1] for b in running_bounds(m, t, i)] for m, t in zip(parts.lms, traces)])
        path = _posterior_path(parts.log_weights, logp)
        leak = float(1 - np.prod(1 - mixed_leak(parts.log_weights, traces, i)))
        small_print = terms(lm, len(paths[i]) - len(end), len(to_bytes(text)), 0, bool(end), leak)
        evidence = logp.sum(axis=1)
        low, high = np.minimum(bounds[:, 0], evidence), np.maximum(bounds[:, 1], evidence)
        out.append(
            MixturePosterior(text, parts.log_weights, evidence, path[-1], path, low, high, small_print)
        )
    return name_normalizers(out, changed)


def _posterior_path(prior: Logs, logp: Logs) -> Logs:
    """Return the log posterior before each token and after the last token, `[n + 1, K]`."""
    rows = [prior]
    for gain in logp.T:
        rows.append(update_posterior(rows[-1][None, :], gain[None, :])[0])
    return np.array(rows)
