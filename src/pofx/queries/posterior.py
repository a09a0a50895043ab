"""Which model of a mixture a text is from: Bayes' rule over models, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import logsumexp
from pofx.errors import BadValue
from pofx.lm.begin import refuse_unconditional
from pofx.lm.model import LM
from pofx.lm.trace import Ints
from pofx.queries.scoring.terms import Terms, name_normalizers, read_texts, terms
from pofx.transforms.mixture import updated
from pofx.transforms.mixture_bounds import mixed_leak, running_bounds
from pofx.vocab.vocabulary import to_bytes

Logs = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MixturePosterior:
    """One text under a mixture of K models, nats; EOS counted where the models have one.

    prior, evidence, posterior: `[K]`, log π_c, the log-likelihood of each model log p_c(x), and log π_c p_c(x) / Σ π p(x).
    A text impossible under every model leaves the prior. path: `[t + 1, K]` (a row more with EOS), the log posterior
    before each term and behind the last. low, high: `[K]`, bounds of `evidence`, equal to it where nothing is left
    out. What Bayes' rule divides by, elsewhere `log_evidence`, is `total`.
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
        """log p(x) = log Σ π_c p_c(x), as `log_prob` of the mixture says."""
        return float(logsumexp(self.prior + self.evidence))

    @property
    def best(self) -> int:
        """The number of the model that predicts the text best, whatever the prior."""
        return int(np.argmax(self.evidence))

    @property
    def regret(self) -> float:
        """max log p_c(x) − log p(x), nats a text: what not knowing the model costs, at most −log π of the best."""
        most = float(self.evidence.max())
        return 0.0 if np.isneginf(most) else most - self.total

    @property
    def intervals(self) -> NDArray[np.float64]:
        """Bounds (low, high) of each model's log posterior, `[K, 2]`, for likelihoods anywhere in their bounds."""
        out = np.empty((len(self.prior), 2))
        for c in range(len(out)):
            others = np.arange(len(out)) != c
            for side, mine, theirs in ((0, self.low, self.high), (1, self.high, self.low)):
                own = self.prior[c] + mine[c]
                whole = np.logaddexp(own, logsumexp((self.prior + theirs)[others]))
                out[c, side] = -np.inf if np.isneginf(own) else own - whole
        return out


def posterior(lm: LM, texts: Sequence[str | bytes]) -> list[MixturePosterior]:
    """p(c | x) = π_c p_c(x) / Σ_k π_k p_k(x) of the models of a `mixture`, one record a text, in order; nats.

    Complete texts, EOS counted; what a prefix says is a row of `path`. `BadValue` for what is no mixture (an
    `interpolate` draws a model at every token, so no text is of one); `NoBOS` without x0.

    Right: `posterior(mixture([en, fr]), ["Bonjour"])[0].posterior`. Wrong: comparing models by bits a token, each of
    its own vocabulary.
    """
    parts = lm.parts()
    if parts is None or parts.draws != "text":
        raise BadValue(
            f"expected a mixture of models, as mixture([…]) makes it, found {type(lm).__name__}", None
        )
    if isinstance(texts, str | bytes):
        raise BadValue("texts: expected a list of texts, found one text", "write posterior(lm, [text])")
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
        path = _path(parts.log_weights, logp)
        leak = float(1 - np.prod(1 - mixed_leak(parts.log_weights, traces, i)))
        small_print = terms(lm, len(paths[i]) - len(end), len(to_bytes(text)), 0, bool(end), leak)
        evidence = logp.sum(axis=1)
        low, high = np.minimum(bounds[:, 0], evidence), np.maximum(bounds[:, 1], evidence)
        out.append(
            MixturePosterior(text, parts.log_weights, evidence, path[-1], path, low, high, small_print)
        )
    return name_normalizers(out, changed)


def _path(prior: Logs, logp: Logs) -> Logs:
    """Bayes' rule a token at a time, `[n + 1, K]`."""
    rows = [prior]
    for gain in logp.T:
        rows.append(updated(rows[-1][None, :], gain[None, :])[0])
    return np.array(rows)
