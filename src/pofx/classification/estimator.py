"""P(x, t) = P(t) p(x | t) as an estimator of scikit-learn."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pofx.classification.bayes import Posterior
from pofx.classification.families import Length
from pofx.classification.files import ClassifierSettings, load_joint, save_joint
from pofx.classification.joint import Joint, warn_if_known
from pofx.classification.labels import as_texts, byte_lengths, places
from pofx.classification.outliers import Per, Rejection, make_rejection
from pofx.classification.priors import Prior
from pofx.classification.training import fit_joint
from pofx.errors import BadValue, require
from pofx.interactive.shown import Shown
from pofx.lm.model import LM
from pofx.models.fitting import VocabSpec
from pofx.models.specs import NgramSpec
from pofx.queries.sample import Draw
from pofx.values import check_whole_number

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
except ModuleNotFoundError:
    # The class exists without scikit-learn, too, so that `from pofx import *` works. Making a classifier then raises an
    # error that names the missing package.
    class ClassifierMixin:  # type: ignore[no-redef]
        """Takes the place of scikit-learn's class."""

    class BaseEstimator:  # type: ignore[no-redef]
        """Takes the place of scikit-learn's class."""

        def __new__(cls, *arguments: Any, **named: Any) -> Self:
            """Raise `MissingExtra`."""
            require("sklearn", "classify", "GenerativeClassifier")
            return super().__new__(cls)


Floats = NDArray[np.float64]


class GenerativeClassifier(Shown, ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A generative classifier of texts: P(t | x) = P(t) p(x | t) / p(x), by Bayes' rule; nats.

    X is a list (or one-dimensional array) of texts, str or bytes. Log-likelihoods are of whole texts, and are never divided
    by a length. A text that no class can produce raises `Impossible`, and its `log_evidence` is −∞. A text that a vocabulary
    of characters cannot spell raises `NotText`; the vocabulary "bytes" spells every text. A model is data, not code: use
    `save` and `load`, never pickle.

    Args:
        spec: The specification of the model of each class, `NgramSpec(…)` or `TransformerSpec(…)`, whose time limit is for
            each class; None for `NgramSpec()`. Or an `LM`, the same for all classes.
        given: The prefix of each label; the keys are the classes. For an LM, p(x | t) = p(x | given[t]). With a spec, one
            model is fitted to the texts after their prefixes.
        prior: "empirical", "uniform", numbers in the order of `classes_`, or a mapping from label; see `with_prior`.
        length: With "own" each class learns its EOS, so that lengths are evidence. With "shared" all classes have the same
            distribution of the length, which cancels; `NgramSpec(order=1, smoothing="additive")` then is multinomial naive
            Bayes.
        em: The most steps of expectation–maximisation over documents without label. The label None marks such documents,
            and −1 among whole numbers does so, too. With 0 such documents are refused, and −1 is a label.
        power: 1 for Bayes' rule. Another β gives the power posterior, P(t) p(x | t)^β normalised. A β below 1 tempers a
            model that counts the same evidence twice. `log_evidence` does not depend on β.
        background: The weight of a model of all documents in each class's next-token distribution (Jelinek & Mercer 1980);
            0 for no such model. With few documents of many classes 0.7 to 0.9 help most.

    Attributes:
        classes_: The sorted labels, `[C]`.
        class_count_: The number of documents of each class, `[C]`; expected numbers with EM.
        class_log_prior_: log P(t), `[C]`, nats.
        joint_: The fitted joint distribution.
        n_iter_: The number of steps of EM, at least 1.
        em_steps_: A record for each step of EM.

    Right: `GenerativeClassifier(NgramSpec(order=4)).fit(texts, labels).predict_proba(others)`. Wrong: comparing
    `log_evidence` of texts of different lengths as if it were a rate.
    """

    def __init__(
        self,
        spec: VocabSpec | LM | None = None,
        *,
        given: Mapping[Any, str | bytes] | None = None,
        prior: Prior = "empirical",
        length: Length = "own",
        em: int = 0,
        power: float = 1.0,
        background: float = 0.0,
    ) -> None:
        self.spec = spec
        self.given = given
        self.prior = prior
        self.length = length
        self.em = em
        self.power = power
        self.background = background

    def fit(self, X: Sequence[str | bytes], y: Any) -> Self:
        """Fit a model for each class and the prior, argmax Σ log P(t) p(x | t); raise the errors of `fit_joint`."""
        from sklearn.utils.validation import check_consistent_length

        texts = as_texts(X)
        classes, labels = places(y, self.given, check_whole_number("em", self.em) > 0)
        check_consistent_length(texts, labels)
        spec = NgramSpec() if self.spec is None else self.spec
        joint, steps = fit_joint(
            texts,
            labels,
            classes.tolist(),
            spec,
            self.given,
            self.prior,
            self.length,
            self.em,
            self.power,
            self.background,
        )
        return self._fitted(joint, classes, steps)

    def predict(self, X: Sequence[str | bytes]) -> NDArray[Any]:
        """Return argmax_t P(t | x) of each text, `[n]`; the first of `classes_` among equals."""
        best = self._posterior(X).best
        out: NDArray[Any] = self.classes_[best]
        return out

    def predict_log_proba(self, X: Sequence[str | bytes]) -> Floats:
        """Return log P(t | x), nats, `[n, C]`, in the order of `classes_`."""
        return self._posterior(X).log_p

    def predict_proba(self, X: Sequence[str | bytes]) -> Floats:
        """Return P(t | x), `[n, C]`; rows sum to 1."""
        return np.exp(self.predict_log_proba(X))

    def predict_joint_log_proba(self, X: Sequence[str | bytes]) -> Floats:
        """Return log P(x, t) = log P(t) + log p(x | t), nats, `[n, C]`."""
        self._check_fitted()
        joint: Joint = self.joint_
        return joint.log_likelihood(as_texts(X)) + joint.log_prior

    def score(self, X: Sequence[str | bytes], y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy of `predict`; `UserWarning` if the classifier was fitted on some of the texts."""
        found = float(super().score(X, y, sample_weight))
        # An estimator that is built on this estimator may read other values than texts.
        warn_if_known(self.joint_, [x for x in X if isinstance(x, str | bytes)])
        return found

    def log_evidence(self, X: Sequence[str | bytes]) -> Floats:
        """Return log p(x) = log Σ_t P(t) p(x | t), nats, EOS included, `[n]`; −∞ if no class can produce x."""
        self._check_fitted()
        joint: Joint = self.joint_
        return joint.log_evidence(as_texts(X))

    def with_prior(self, prior: Prior) -> Self:
        """Return the classifier with another P(t); the models are shared, and nothing is fitted again."""
        self._check_fitted()
        other = type(self)(**{**self.get_params(deep=False), "prior": prior})
        other.__dict__.update(
            {k: v for k, v in self.__dict__.items() if k.endswith("_") and k != "rejection_"}
        )
        other.joint_ = self.joint_.with_prior(prior)
        other.class_log_prior_ = other.joint_.log_prior
        return other

    def sample(self, label: Any, n: int = 1, max_tokens: int = 256, seed: int | None = None) -> list[Draw]:
        """Draw n texts from p(x | label); the same seed gives the same draws. See `sample`."""
        self._check_fitted()
        joint: Joint = self.joint_
        return joint.sample(label, n, max_tokens, seed)

    def fit_rejection(self, X: Sequence[str | bytes], per: Per = "byte") -> Self:
        """Store log p(x) of held-out texts, with which `outlier_p` compares texts; return self. See `Rejection`."""
        texts = as_texts(X)
        self.rejection_ = make_rejection(self.log_evidence(texts), byte_lengths(texts), per)
        return self

    def outlier_p(self, X: Sequence[str | bytes]) -> Floats:
        """Return a conformal p-value of each text, `[n]`: small where few held-out texts are as improbable."""
        self._check_fitted()
        if not hasattr(self, "rejection_"):
            raise BadValue(
                "expected held-out texts to compare with, got none",
                "call fit_rejection(texts)",
                argument="outlier_p",
            )
        texts = as_texts(X)
        reference: Rejection = self.rejection_
        return reference.p(self.log_evidence(texts), byte_lengths(texts))

    def save(self, directory: str | Path) -> None:
        """Write a directory of JSON and safetensors; a pretrained `LM` is named by fingerprint, not copied."""
        self._check_fitted()
        spec = NgramSpec() if self.spec is None else self.spec
        settings = ClassifierSettings(
            None if isinstance(spec, LM) else spec, self.prior, self.length, self.em, self.background
        )
        save_joint(self.joint_, settings, getattr(self, "rejection_", None), directory)

    @classmethod
    def load(cls, directory: str | Path, lm: LM | None = None) -> Self:
        """Read what `save` wrote; `lm` is the pretrained model, where the classifier was made with one."""
        joint, settings, reference = load_joint(directory, lm)
        given = None if joint.given is None else dict(zip(joint.classes, joint.given))
        out = cls(
            joint.lms[0] if settings.spec is None else settings.spec,
            given=given,
            prior=settings.prior,
            length=settings.length,
            em=settings.em,
            power=joint.power,
            background=settings.background,
        )
        out._fitted(joint, np.array(joint.classes), [])
        if reference is not None:
            out.rejection_ = reference
        return out

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        # scikit-learn's method would draw a box of the parameters, also of a fitted classifier.
        html = self._repr_html_()
        return {"text/plain": repr(self), **({} if html is None else {"text/html": html})}

    def _fitted(self, joint: Joint, classes: NDArray[Any], steps: list[Any]) -> Self:
        self.__dict__.pop("rejection_", None)  # the reference was computed by the former models
        self.classes_ = classes
        self.joint_ = joint
        self.class_count_ = joint.count
        self.class_log_prior_ = joint.log_prior
        self.em_steps_ = steps
        self.n_iter_ = max(len(steps), 1)
        return self

    def _check_fitted(self) -> None:
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self, "joint_")

    def _posterior(self, X: Sequence[str | bytes]) -> Posterior:
        self._check_fitted()
        joint: Joint = self.joint_
        return joint.posterior(as_texts(X))

    def __sklearn_clone__(self) -> Self:
        # scikit-learn copies parameters, but a model is a value and needs no copy of 500 MB.
        params = self.get_params(deep=False)
        shared = {id(v): v for v in params.values() if isinstance(v, LM)}
        other = type(self)(**{name: copy.deepcopy(v, shared) for name, v in params.items()})
        if hasattr(self, "_metadata_request"):
            other._metadata_request = copy.deepcopy(self._metadata_request)
        return other

    def __copy__(self) -> Self:
        other = self.__sklearn_clone__()
        other.__dict__.update(self.__dict__)
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        other = self.__sklearn_clone__()
        for name, v in self.__dict__.items():
            if name.endswith("_"):  # fitted attributes are values, which two classifiers may share
                setattr(other, name, v if isinstance(v, Joint | Rejection) else copy.deepcopy(v, memo))
        return other

    def __getstate__(self) -> dict[str, Any]:
        # Only a classifier without a model may be pickled, for other processes (cross_val_score(n_jobs=2)).
        if "joint_" in self.__dict__ or isinstance(self.spec, LM):
            found = (
                "a fitted classifier" if "joint_" in self.__dict__ else "a classifier that conditions an LM"
            )
            raise BadValue(
                f"{found} cannot be pickled, since a pickle can run code when it is read",
                "fit it and use .save(directory), then GenerativeClassifier.load(directory)",
            )
        state: dict[str, Any] = super().__getstate__()
        return state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array, tags.input_tags.two_d_array, tags.input_tags.string = True, False, True
        return tags
