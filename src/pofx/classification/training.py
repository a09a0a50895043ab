"""Fitting P(x, t) to documents with labels, and by expectation–maximisation to documents without labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.classification.bayes import check_whole, log_evidence, no_end_error
from pofx.classification.families import (
    Fitter,
    Length,
    Texts,
    Weights,
    fit_behind_prefixes,
    is_soft,
    make_fitter,
)
from pofx.classification.joint import Joint
from pofx.classification.priors import Prior, log_prior
from pofx.errors import Advice, BadSource, BadValue, not_resumable
from pofx.lm.model import LM
from pofx.models.fitting import VocabSpec
from pofx.values import check_real_number, check_whole_number
from pofx.vocab.vocabulary import refuse_normalizing

UNLABELLED = -1
AGAIN = "run the fit again, with fewer seconds a class if it took too long"
# EM has converged when no posterior changes by more than this.
SETTLED = 1e-6


@dataclass(frozen=True)
class EMStep:
    """The record of one step of EM.

    Attributes:
        log_likelihood: Σ log P(x, t) of labelled documents plus Σ log p(x) of the others, before the step, nats.
        moved: The largest change of a posterior by the step.
    """

    log_likelihood: float
    moved: float


def fit_joint(
    texts: Texts,
    labels: NDArray[np.int64],
    classes: Sequence[Any],
    spec: VocabSpec | LM,
    given: Mapping[Any, str | bytes] | None = None,
    prior: Prior = "empirical",
    length: Length = "own",
    em: int = 0,
    power: float = 1.0,
    background: float = 0.0,
    progress: Callable[[EMStep], None] | None = None,
) -> tuple[Joint, list[EMStep]]:
    """Fit P(x, t) to documents.

    EM computes P(t | x) of each document without label (E), and fits models and empirical prior again (M). Where the family
    has fractional counts, as additive n-grams have, a document counts in class t with weight P(t | x) (Nigam et al. 2000).
    Otherwise a document counts as a whole in its most probable class (classification EM; Celeux & Govaert 1992). For a fixed
    LM only the prior is fitted.

    Args:
        texts: The documents.
        labels: The number of each label in `classes`, or −1 for no label, `[n]`.
        classes: The labels.
        spec: The specification of the model of each class. An `LM` is not fitted, and is conditioned on given[label]. With
            a spec and `given`, one model of all classes is fitted to the texts after their prefixes.
        given: The prefix for each label, or None.
        prior: The prior; see `log_prior`.
        length: "own" or "shared"; see `make_fitter`.
        em: The most steps of EM; with 0 a document without label is refused.
        power: 1, or β of the power posterior.
        background: λ of p(v | h, t) = (1 − λ) p_t(v | h) + λ p(v | h). The model p is fitted to the documents of all
            classes, with or without labels; the M-step fits p_t alone.
        progress: A function that is called with each step of EM.

    Returns:
        The joint distribution, and the steps of EM.

    Raises:
        BadValue: An argument is outside its domain.
        BadSource: A class has no document, where a model is fitted for each class.
    """
    if isinstance(spec, LM):
        refuse_normalizing(spec.vocab, "a classifier")
    if isinstance(spec, LM) and given is None:
        raise BadValue(
            "expected the prefix of each label, since an LM is the same for all classes, got no prefix",
            Advice(
                "give each label its prefix",
                "GenerativeClassifier(lm, given={'en': 'In English: ', …})",
                "--given LABEL=TEXT",
            ),
            argument="given",
        )
    if length not in ("own", "shared"):
        raise BadValue(
            f"expected 'own' or 'shared', got {length!r:.60}", "write one of the two words", argument="length"
        )
    if length == "shared" and (isinstance(spec, LM) or given is not None):
        raise BadValue(
            "expected 'own' for one model of texts after prefixes, which has an EOS of its own, got 'shared'",
            "take length='shared' with a model for each class",
            argument="length",
        )
    em = check_whole_number("em", em)
    power = check_real_number("power", power, 0, above=True, advice="1 is Bayes' rule")
    free = np.flatnonzero(labels == UNLABELLED)
    if len(free) and not em:
        raise BadValue(
            f"expected a label for each document, got {len(free):,} documents without a label",
            ["leave these documents out", Advice("learn from them", "em=20", "--em 20")],
            argument="labels",
        )
    background = check_real_number("background", background, 0, 1, below=True)
    if background and (isinstance(spec, LM) or given is not None):
        raise BadValue(
            f"expected 0 for one model of texts after prefixes, which all classes share, got {background}",
            "leave background out",
            argument="background",
        )
    prefixes = None if given is None else _prefixes(given, classes)
    soft = is_soft(spec) and given is None
    with not_resumable(AGAIN):
        learned = _fitter(texts, labels, classes, spec, prefixes, length, background, soft and len(free) > 0)

    def joint_of(weights: Weights) -> Joint:
        count = weights.sum(axis=0)
        log_p = log_prior(
            prior, classes, count
        )  # computed first, so that a wrong prior is refused before the fit
        with not_resumable(AGAIN):
            return Joint(tuple(classes), learned(weights), prefixes, count, log_p, power)

    weights = np.zeros((len(texts), len(classes)))
    known = np.flatnonzero(labels != UNLABELLED)
    weights[known, labels[known]] = 1.0
    joint = joint_of(weights)
    steps: list[EMStep] = []
    fixed = isinstance(spec, LM)  # only the prior changes, so one pass is enough for all steps
    undivided = not soft and not fixed
    likelihood = np.zeros((0, 0))
    for _ in range(em if len(free) else 0):
        if not (fixed and steps):
            likelihood = joint.log_likelihood(texts)
        after = weights.copy()
        after[free] = _posterior_weights(likelihood[free] + joint.log_prior, undivided)
        now = float((likelihood + joint.log_prior)[known, labels[known]].sum())
        now += float(log_evidence(likelihood[free], joint.log_prior).sum())
        steps.append(EMStep(now, float(np.abs(after - weights).max())))
        if progress is not None:
            progress(steps[-1])
        weights, done = after, steps[-1].moved < SETTLED
        if done:
            break
        joint = joint_of(weights)
    return joint, steps


def _posterior_weights(joint: NDArray[np.float64], whole: bool) -> Weights:
    """Return P(t | x) of documents without label; 0 for all classes where no class can produce the document."""
    possible = np.isfinite(joint.max(axis=1))
    out = np.zeros_like(joint)
    peak = joint[possible].max(axis=1, keepdims=True)
    p = np.exp(joint[possible] - peak)
    if whole:
        p = np.eye(joint.shape[1])[np.argmax(p, axis=1)]
    out[possible] = p / p.sum(axis=1, keepdims=True)
    return out


def _fitter(
    texts: Texts,
    labels: NDArray[np.int64],
    classes: Sequence[Any],
    spec: VocabSpec | LM,
    prefixes: tuple[str | bytes, ...] | None,
    length: Length,
    background: float,
    soft: bool,
) -> Fitter:
    if isinstance(spec, LM):
        lm = spec
        if lm.vocab.end is None:
            raise no_end_error()
        return lambda weights: (lm,)
    empty = np.flatnonzero(np.bincount(labels[labels >= 0], minlength=len(classes)) == 0)
    if prefixes is not None:
        return fit_behind_prefixes(texts, prefixes, spec)
    if len(empty):
        raise BadSource(
            f"class {classes[empty[0]]!r}: expected at least one document to fit p(x | t) to, got none",
            "leave the class out, or use one LM with a prefix for each label",
        )
    made = make_fitter(texts, spec, length, background, soft)

    def checked(weights: Weights) -> tuple[LM, ...]:
        lms = made(weights)
        check_whole(lms[0])
        return lms

    return checked


def _prefixes(given: Mapping[Any, str | bytes], classes: Sequence[Any]) -> tuple[str | bytes, ...]:
    missing = [t for t in classes if t not in given]
    if missing:
        raise BadValue(
            f"expected a prefix for each of {len(classes)} labels, got none for {missing[0]!r}",
            "add a prefix for this label",
            argument="given",
        )
    return tuple(given[t] for t in classes)
