"""P(x, t) as a value: the classes, their models and their prior."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.classification.bayes import (
    Likelihoods,
    Posterior,
    bayes,
    likelihoods_and_tokens,
    likelihoods_and_tokens_behind,
    log_evidence,
)
from pofx.classification.families import split_class_model
from pofx.classification.priors import Prior, log_prior
from pofx.errors import BadValue
from pofx.interactive.shown import Shown
from pofx.lm.fitted_documents import was_chosen_by, was_fitted_on
from pofx.lm.model import LM
from pofx.queries.sample import Draw, sample
from pofx.vocab.vocabulary import to_bytes


@dataclass(frozen=True, eq=False, repr=False)
class Joint(Shown):
    """P(x, t) = P(t) p(x | t), over texts x and classes t.

    Attributes:
        classes: The labels.
        lms: A model for each class; or one model for all classes, conditioned on `given`.
        given: The prefix of each class; None with a model for each class.
        count: The number of documents of each class, `[C]`; expected numbers with EM.
        log_prior: log P(t), `[C]`, nats.
        power: 1, or β of the power posterior (`bayes`).

    Right: `joint.posterior(["a text"]).log_p`. Wrong: changing `joint.log_prior`; `with_prior` returns another joint.
    """

    classes: tuple[Any, ...]
    lms: tuple[LM, ...]
    given: tuple[str | bytes, ...] | None
    count: NDArray[np.float64]
    log_prior: NDArray[np.float64]
    power: float = 1.0

    @property
    def fingerprint(self) -> list[str]:
        """The fingerprints of the weights of all models."""
        apart = [(lm,) if self.given is not None else split_class_model(lm)[::2] for lm in self.lms]
        return [part.fingerprint for parts in apart for part in parts if part is not None]

    def log_likelihood(self, texts: Sequence[str | bytes]) -> NDArray[np.float64]:
        """Compute log p(x | t), nats, EOS included, `[n, C]`."""
        return self.likelihoods(texts).log_p

    def likelihoods(self, texts: Sequence[str | bytes]) -> Likelihoods:
        """Compute log p(x | t), nats, EOS included, and count the tokens of each text."""
        if self.given is not None:
            return likelihoods_and_tokens_behind(self.lms[0], self.given, texts)
        return likelihoods_and_tokens(self.lms, texts)

    def posterior(self, texts: Sequence[str | bytes]) -> Posterior:
        """Compute log P(t | x) and log p(x), nats; `Impossible` for a text that no class can produce."""
        return bayes(self.log_likelihood(texts), self.log_prior, self.power)

    def log_evidence(self, texts: Sequence[str | bytes]) -> NDArray[np.float64]:
        """Compute log p(x) = log Σ_t P(t) p(x | t), nats, `[n]`; −∞ for a text that no class can produce."""
        return log_evidence(self.log_likelihood(texts), self.log_prior)

    def with_prior(self, prior: Prior) -> Joint:
        """Return the same models with another P(t)."""
        return replace(self, log_prior=log_prior(prior, self.classes, self.count))

    def fitted_on(self, texts: Sequence[str | bytes]) -> NDArray[np.bool_]:
        """Return whether some class's model was fitted on each text, `[n]`; False where this is not known."""
        return self._any(was_fitted_on, texts)

    def chosen_by(self, texts: Sequence[str | bytes]) -> NDArray[np.bool_]:
        """Return whether each text chose the weights of a class's model, and no model was fitted on the text; `[n]`."""
        return self._any(was_chosen_by, texts) & ~self.fitted_on(texts)

    def _any(
        self, known: Callable[[LM, list[bytes]], NDArray[np.bool_]], texts: Sequence[str | bytes]
    ) -> NDArray[np.bool_]:
        fronts = [b""] if self.given is None else [to_bytes(g) for g in self.given]
        out = np.zeros(len(texts), dtype=np.bool_)
        for front in fronts:
            whole = [front + to_bytes(x) for x in texts]
            for lm in self.lms:
                out |= known(lm, whole)
        return out

    def sample(self, label: Any, n: int, max_tokens: int = 256, seed: int | None = None) -> list[Draw]:
        """Draw n texts from p(x | label); see `sample`."""
        try:
            c = self.classes.index(label)
        except ValueError:
            known = ", ".join(map(repr, self.classes[:6])) + (" …" if len(self.classes) > 6 else "")
            raise BadValue(
                f"expected one of {known}, got {label!r}", "name a class of this classifier", argument="label"
            ) from None
        if self.given is not None:
            return sample(self.lms[0], n, self.given[c], max_tokens, seed)
        return sample(self.lms[c], n, "", max_tokens, seed)


def warn_if_known(joint: Joint, texts: Sequence[str | bytes]) -> None:
    """Give a `UserWarning` if a model was fitted on some texts, or some texts chose its weights."""
    fitted, chosen = int(joint.fitted_on(texts).sum()), int(joint.chosen_by(texts).sum())
    known = [f"the classifier was fitted on {fitted:,}"] if fitted else []
    known += [f"its weights were chosen by {chosen:,}"] if chosen else []
    if known:
        warnings.warn(
            f"X: expected texts that the classifier has not seen, got {len(texts):,} of which {' and '.join(known)}, so "
            "the score flatters it; score other texts",
            UserWarning,
            stacklevel=3,
        )
