"""Expectation–maximisation: the likelihood never falls, and unlabelled documents help."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st
from proverbs import (
    NAIVE,
    NEW,
    GenerativeClassifier,
    X,
    Y,
)

import pofx
from pofx.algorithms.logspace import logsumexp
from pofx.algorithms.statistics.em import mixture_weights
from pofx.classification.bayes import log_likelihoods_behind
from pofx.classification.training import fit_joint
from pofx.errors import BadValue
from pofx.models.ngram.weighted import WeightedNgrams
from toy import ToyLM, texts


class TestEM:
    @settings(max_examples=30, deadline=None)
    @over(
        st.lists(st.tuples(st.text("ab", max_size=6), st.integers(0, 3)), min_size=1, max_size=6),
        st.integers(1, 4),
        st.booleans(),
        st.booleans(),
    )
    def test_weights_count_documents(
        self, counted: list[tuple[str, int]], order: int, begin: bool, end: bool
    ) -> None:
        if not any(w and (x or begin) for x, w in counted):
            return  # nothing is counted at all
        vocab = pofx.CharVocab("ab", end=end)
        spec = pofx.NgramSpec(order, "additive", 0.3, vocab, begin, end)
        ids = [vocab.encode_array(x) for x, _ in counted]
        weighted = WeightedNgrams(ids, spec, vocab).fit(np.array([float(w) for _, w in counted]))
        plain = pofx.fit([x for x, w in counted for _ in range(w)], spec)
        paths = [p for p in texts(vocab, 3) if len(p) or begin]
        skips = [0 if begin else 1] * len(paths)
        for ours, theirs in zip(
            weighted.forward(paths, skip=skips).logp, plain.forward(paths, skip=skips).logp
        ):
            np.testing.assert_allclose(ours, theirs, atol=1e-12)
        state, other = (m.extend(m.start(1), [[0, 1]]).logp for m in (weighted, plain))
        np.testing.assert_allclose(state, other, atol=1e-12)

    @pytest.mark.parametrize("length", ["own", "shared"])
    def test_the_objective_never_falls(self, length: Any) -> None:
        labels = np.array([t if i % 30 == 0 else None for i, t in enumerate(Y)], dtype=object)
        spec = pofx.NgramSpec(order=1, smoothing="additive", alpha=0.2)

        def objective(steps: int) -> float:
            fitted = GenerativeClassifier(spec, em=steps, length=length).fit(X, labels)
            joint = fitted.predict_joint_log_proba(X)
            known = [i for i, t in enumerate(labels) if t is not None]
            free = [i for i, t in enumerate(labels) if t is None]
            at = [fitted.classes_.tolist().index(labels[i]) for i in known]
            # Additive smoothing is the mode under a Dirichlet prior of α + 1: EM climbs the posterior of θ.
            laws_ = [lm.lm if length == "shared" else lm for lm in fitted.joint_.lms]
            penalty = 0.2 * sum(lm.start(1).logp.sum() for lm in laws_)
            return float(joint[known, at].sum() + logsumexp(joint[free], axis=1).sum() + penalty)

        found = [objective(k) for k in range(1, 12)]
        assert all(b >= a - 1e-8 for a, b in itertools.pairwise(found)), found
        assert found[-1] > found[0] + 1

    def test_documents_without_label_help(self) -> None:
        rng = np.random.default_rng(0)
        truth = rng.integers(0, 2, 400)
        documents = ["".join(rng.choice(list("abcd"), 12, p=[[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]][t])) for t in truth]  # fmt: skip
        labels = np.where(np.arange(400) < 4, truth, -1)
        assert set(labels[:4]) == {0, 1}
        spec = pofx.NgramSpec(order=1, smoothing="additive", vocab="chars")
        few = GenerativeClassifier(spec).fit(documents[:4], labels[:4])
        em = GenerativeClassifier(spec, em=100).fit(documents, labels)
        assert np.mean(em.predict(documents) == truth) > np.mean(few.predict(documents) == truth) + 0.05
        assert em.classes_.tolist() == [0, 1]
        assert 1 < em.n_iter_ < 100
        assert em.em_steps_[-1].moved < 1e-6
        assert em.class_count_.sum() == pytest.approx(400)

    def test_whole_documents_where_counts_cannot_be_fractions(self) -> None:
        labels = [t if i % 10 == 0 else None for i, t in enumerate(Y)]
        ours = GenerativeClassifier(pofx.NgramSpec(order=3), em=20).fit(X, labels)
        guessed = ours.predict(X)
        again = GenerativeClassifier(pofx.NgramSpec(order=3)).fit(
            X, [guess if t is None else t for t, guess in zip(labels, guessed)]
        )
        np.testing.assert_allclose(ours.predict_log_proba(NEW), again.predict_log_proba(NEW))
        assert ours.class_count_.sum() == len(X)

    def test_of_a_fixed_model_the_prior(self) -> None:
        lm = ToyLM(seed=8)
        rng = np.random.default_rng(1)
        documents = [d.text for g, n in (("a", 150), ("b", 50)) for d in pofx.sample(lm, n, g, seed=n)]
        rng.shuffle(documents)
        labels = ["p", "q", *[None] * (len(documents) - 2)]
        ours = GenerativeClassifier(lm, given={"p": "a", "q": "b"}, em=500).fit(documents, labels)
        likelihood = log_likelihoods_behind(lm, ["a", "b"], documents)
        likelihood[:2] = [[0, -math.inf], [-math.inf, 0]]
        weights = mixture_weights(likelihood.T, tolerance=0, most=5000)
        np.testing.assert_allclose(np.exp(ours.class_log_prior_), weights, atol=1e-4)

    def test_what_none_can_produce_says_nothing(self) -> None:
        spec = pofx.NgramSpec(order=2, smoothing="mle")
        ours = GenerativeClassifier(spec, em=3).fit(["ab", "ba", "zz"], [0, 1, -1])
        assert ours.class_count_.tolist() == [1, 1]

    def test_minus_one_is_a_label_without_em(self) -> None:
        assert GenerativeClassifier(NAIVE).fit(["a", "b"], [-1, 1]).classes_.tolist() == [-1, 1]
        with pytest.raises(BadValue, match="got none"):
            GenerativeClassifier(NAIVE, em=2).fit(["a", "b"], [-1, -1])
        with pytest.raises(BadValue, match="em=20"):
            fit_joint(["x", "y"], np.array([0, -1]), ["a"], NAIVE)
