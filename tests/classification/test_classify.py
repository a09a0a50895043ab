"""Generative classification: Bayes' rule by enumeration, naive Bayes as scikit-learn has it, and a true estimator."""

from __future__ import annotations

import copy
import itertools
import json
import math
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, precision_score, recall_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import (
    check_do_not_raise_errors_in_init_or_set_params,
    check_estimator,
    check_estimator_cloneable,
    check_estimator_repr,
    check_estimator_tags_renamed,
    check_get_params_invariance,
    check_mixin_order,
    check_no_attributes_set_in_init,
    check_parameters_default_constructible,
    check_set_params,
    check_valid_tag_types,
    parametrize_with_checks,
)
from sklearn.utils.validation import validate_data

import pofx
from laws import Broken, laws
from pofx.algorithms.logspace import logsumexp
from pofx.algorithms.statistics.em import mixture_weights
from pofx.classification.bayes import bayes, log_evidence, log_likelihoods, log_likelihoods_behind
from pofx.classification.evaluation import evaluate
from pofx.classification.families import concatenate
from pofx.classification.files import CARD, load_joint
from pofx.classification.joint import Joint
from pofx.classification.outliers import KEPT, Rejection, make_rejection
from pofx.classification.training import fit_joint
from pofx.errors import BadSource, BadValue, Impossible, NoBOS, NoEOS, NotText, PofxError
from pofx.jobs.class_rows import ClassRows
from pofx.models.ngram.weighted import WeightedNgrams
from pofx.transforms.geometric import Geometric, GeometricVocab, geometric
from toy import ToyLM, ToyVocab, log_string, texts

GenerativeClassifier = pofx.GenerativeClassifier
DOCS = Path(__file__).parents[2] / "docs"
ENGLISH = (DOCS / "proverbs.txt").read_text(encoding="utf-8").splitlines()
FRENCH = (DOCS / "proverbes.txt").read_text(encoding="utf-8").splitlines()
X = ENGLISH[:100] + FRENCH[:60]
Y = ["en"] * 100 + ["fr"] * 60
NEW, NEW_Y = ENGLISH[100:] + FRENCH[60:], ["en"] * len(ENGLISH[100:]) + ["fr"] * len(FRENCH[60:])
NAIVE = pofx.NgramSpec(order=1, smoothing="additive", alpha=0.5)


def letters(vocab: ToyVocab, longest: int) -> list[bytes]:
    return [vocab.decode(p) for p in texts(vocab, longest)]


def byte_counts(documents: list[Any]) -> np.ndarray:
    data = [d if isinstance(d, bytes) else d.encode() for d in documents]
    return np.array([np.bincount(np.frombuffer(d, dtype=np.uint8), minlength=256) for d in data])


# --- Bayes' rule by enumeration --------------------------------------------------------------------------------------


class TestBayesByEnumeration:
    vocab = ToyVocab(3)
    lms = [ToyLM(ToyVocab(3), 1, 2), ToyLM(ToyVocab(3), 2, 2), ToyLM(ToyVocab(3), 3, 2)]
    prior = np.log([0.5, 0.3, 0.2])

    def test_likelihoods_are_those_of_the_definition(self) -> None:
        strings = letters(self.vocab, 4)
        found = log_likelihoods(self.lms, strings)
        expected = [[log_string(lm, self.vocab.encode(x)) for lm in self.lms] for x in strings]
        np.testing.assert_allclose(found, expected, atol=1e-12)

    def test_posterior_and_evidence(self) -> None:
        strings = letters(self.vocab, 4)
        found = bayes(log_likelihoods(self.lms, strings), self.prior)
        for x, log_p, evidence in zip(strings, found.log_p, found.log_evidence):
            joint = [
                math.exp(p) * math.exp(log_string(lm, self.vocab.encode(x)))
                for p, lm in zip(self.prior, self.lms)
            ]
            assert math.exp(evidence) == pytest.approx(math.fsum(joint), rel=1e-12)
            np.testing.assert_allclose(np.exp(log_p), np.array(joint) / math.fsum(joint), rtol=1e-12)
        assert found.best.tolist() == [int(np.argmax(row)) for row in found.log_p]

    def test_the_evidence_is_a_distribution_over_strings(self) -> None:
        # They end so soon that texts of more than 12 letters have a mass below 1e-8.
        quick = [geometric(pofx.fit(s, pofx.NgramSpec(2, "additive", vocab=ToyVocab(2, end=False), end=False)), q)
                 for s, q in ((["ab", "b"], 0.9), (["aab"], 0.8))]  # fmt: skip
        strings = letters(ToyVocab(2), 12)
        mass = np.exp(log_evidence(log_likelihoods(quick, strings), np.log([0.4, 0.6])))
        assert math.fsum(mass) == pytest.approx(1, abs=1e-8)

    def test_the_evidence_is_that_of_the_mixture(self) -> None:
        strings = letters(self.vocab, 3)
        mixed = pofx.mixture(self.lms, np.exp(self.prior).tolist())
        found = log_evidence(log_likelihoods(self.lms, strings), self.prior)
        np.testing.assert_allclose(found, [s.total for s in pofx.score(mixed, strings)], atol=1e-12)

    def test_behind_prefixes(self) -> None:
        lm, prefixes, strings = (
            ToyLM(self.vocab, seed=5, memory=3),
            ["a", "bb", "cab"],
            letters(self.vocab, 3),
        )
        found = log_likelihoods_behind(lm, prefixes, strings)
        expected = [[pofx.log_prob(lm, x, given=g) for g in prefixes] for x in strings]
        np.testing.assert_allclose(found, expected, atol=1e-12)

    def test_blocks_change_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        strings = letters(self.vocab, 3)
        whole = log_likelihoods(self.lms, strings), log_likelihoods_behind(self.lms[0], ["a", "b"], strings)
        monkeypatch.setattr("pofx.classification.bayes.BYTES", 7)
        np.testing.assert_array_equal(whole[0], log_likelihoods(self.lms, strings))
        np.testing.assert_array_equal(whole[1], log_likelihoods_behind(self.lms[0], ["a", "b"], strings))

    @pytest.mark.parametrize("given", [None, ("a", "bb", "cab")])
    def test_a_text_is_cut_into_tokens_once(self, given: tuple[str, ...] | None) -> None:
        """Rows of classes say how many tokens a text has: letters of the toy's vocabulary, which are its tokens."""
        cut: list[bytes] = []

        class Counting(ToyVocab):
            def encode(self, text: str | bytes) -> list[int]:
                cut.append(text if isinstance(text, bytes) else text.encode())
                return super().encode(text)

        lms = tuple(ToyLM(Counting(3), seed, 2) for seed in (1, 2, 3))
        shared = lms[0].vocab
        for lm in lms:
            lm.vocab = shared
        strings = ["a", "", "cab", "bb"]
        joint = Joint(tuple("xyz"), lms[:1] if given else lms, given, np.ones(3), self.prior)
        found = ClassRows(joint, None).classify(strings)
        assert [c.terms.tokens for c in found] == [len(x) for x in strings]
        np.testing.assert_array_equal([c.log_p for c in found], joint.posterior(strings).log_p)
        cut.clear()
        joint.log_likelihood(strings)
        alone = len(cut)
        cut.clear()
        ClassRows(joint, None).classify(strings)
        assert len(cut) == alone

    def test_models_over_other_vocabularies(self) -> None:
        chars, octets = (
            pofx.fit(["ab", "ba"], pofx.NgramSpec(2, "additive", vocab=v)) for v in ("chars", "bytes")
        )
        found = log_likelihoods([chars, octets], ["ab", ""])
        np.testing.assert_allclose(found[:, 0], [pofx.log_prob(chars, x) for x in ("ab", "")])
        np.testing.assert_allclose(found[:, 1], [pofx.log_prob(octets, x) for x in ("ab", "")])

    def test_the_power_posterior_is_not_bayes_rule(self) -> None:
        strings = letters(self.vocab, 2)
        likelihood = log_likelihoods(self.lms, strings)
        plain, tempered = bayes(likelihood, self.prior), bayes(likelihood, self.prior, power=0.3)
        for row, log_p in zip(likelihood, tempered.log_p):
            weights = np.exp(self.prior) * np.exp(row) ** 0.3
            np.testing.assert_allclose(np.exp(log_p), weights / weights.sum())
        np.testing.assert_array_equal(plain.log_evidence, tempered.log_evidence)
        np.testing.assert_allclose(bayes(likelihood, self.prior, power=1).log_p, plain.log_p)

    def test_no_texts(self) -> None:
        assert log_likelihoods(self.lms, []).shape == (0, 3)
        assert log_likelihoods_behind(self.lms[0], ["a", "b"], []).shape == (0, 2)
        assert bayes(np.zeros((0, 3)), self.prior).log_p.shape == (0, 3)

    def test_models_of_prefixes_are_refused(self) -> None:
        with pytest.raises(NoEOS, match="length='shared'"):
            log_likelihoods([ToyLM(ToyVocab(2, end=False))], ["a"])
        with pytest.raises(NoEOS):
            log_likelihoods_behind(ToyLM(ToyVocab(2, end=False)), ["a"], ["a"])
        with pytest.raises(NoBOS, match=r"p\(x \| t\)"):
            log_likelihoods([ToyLM(begin=False)], ["a"])


# --- naive Bayes -----------------------------------------------------------------------------------------------------

some_texts = st.lists(st.binary(max_size=12), min_size=1, max_size=5)


class TestNaiveBayes:
    @settings(max_examples=40, deadline=None)
    @over(
        st.lists(some_texts, min_size=2, max_size=4),
        some_texts,
        st.floats(1e-3, 10),
        st.lists(st.floats(0.05, 1), min_size=4, max_size=4),
    )
    def test_multinomial_nb_with_a_shared_length(
        self, classes: list[list[bytes]], asked: list[bytes], alpha: float, weights: list[float]
    ) -> None:
        documents = [x for group in classes for x in group]
        labels = [c for c, group in enumerate(classes) for _ in group]
        spec = pofx.NgramSpec(order=1, smoothing="additive", alpha=alpha)
        for prior, theirs in (
            ("empirical", {}),
            ("uniform", {"fit_prior": False}),
            (weights[: len(classes)], None),
        ):
            if theirs is None:
                normalised = np.array(prior) / np.sum(prior)
                theirs = {"class_prior": normalised}
            nb = MultinomialNB(alpha=alpha, **theirs).fit(byte_counts(documents), labels)
            ours = GenerativeClassifier(spec, prior=prior, length="shared").fit(documents, labels)
            np.testing.assert_allclose(
                ours.predict_log_proba(asked), nb.predict_log_proba(byte_counts(asked)), atol=1e-9, rtol=0
            )

    def test_over_characters_with_count_vectorizer(self) -> None:
        from sklearn.feature_extraction.text import CountVectorizer

        known = [x for x in NEW if set(x) <= set("".join(X))]
        counts = CountVectorizer(analyzer="char", lowercase=False).fit(X)
        nb = MultinomialNB(alpha=0.5).fit(counts.transform(X), Y)
        spec = pofx.NgramSpec(order=1, smoothing="additive", alpha=0.5, vocab="chars")
        ours = GenerativeClassifier(spec, length="shared").fit(X, Y)
        assert len(known) > 80
        np.testing.assert_allclose(
            ours.predict_log_proba(known), nb.predict_log_proba(counts.transform(known)), atol=1e-9, rtol=0
        )

    def test_with_its_own_end_it_differs_by_exactly_the_length_term(self) -> None:
        nb = MultinomialNB(alpha=0.5).fit(byte_counts(X), Y)
        ours = GenerativeClassifier(NAIVE).fit(X, Y)
        asked = [*NEW[::7], "", "a", "é" * 300]
        # e_c = (N_c + α) / (T_c + N_c + α(V + 1)); a text of n bytes has the length term n log(1 − e_c) + log e_c.
        n_c = np.array([Y.count("en"), Y.count("fr")])
        t_c = np.array([sum(len(x.encode()) for x, t in zip(X, Y) if t == c) for c in ("en", "fr")])
        end = (n_c + 0.5) / (t_c + n_c + 0.5 * 257)
        lengths = np.array([len(x.encode()) for x in asked])
        joint = (
            nb.predict_joint_log_proba(byte_counts(asked)) + lengths[:, None] * np.log1p(-end) + np.log(end)
        )
        np.testing.assert_allclose(ours.predict_joint_log_proba(asked), joint, atol=1e-9, rtol=0)
        posterior = joint - logsumexp(joint, axis=1)[:, None]
        np.testing.assert_allclose(ours.predict_log_proba(asked), posterior, atol=1e-9, rtol=0)
        assert np.abs(ours.predict_log_proba(asked) - nb.predict_log_proba(byte_counts(asked))).max() > 1

    def test_a_shared_length_says_nothing_of_the_class(self) -> None:
        # Same letters, other lengths: only a length of one's own tells them apart.
        documents, labels = ["ab"] * 9 + ["ab" * 30] * 9, [0] * 9 + [1] * 9
        long = ["ab" * 25]
        shared = GenerativeClassifier(NAIVE, length="shared", prior="uniform").fit(documents, labels)
        own = GenerativeClassifier(NAIVE, prior="uniform").fit(documents, labels)
        assert own.predict(long) == [1]
        assert own.predict_proba(long)[0, 1] > 0.999
        # What is left is the smoothing, which weighs more in the class of fewer letters.
        nb = MultinomialNB(alpha=0.5, fit_prior=False).fit(byte_counts(documents), labels)
        np.testing.assert_allclose(shared.predict_log_proba(long), nb.predict_log_proba(byte_counts(long)))

    def test_never_divided_by_a_length(self) -> None:
        ours = GenerativeClassifier(pofx.NgramSpec(order=3)).fit(X, Y)
        fitted = [
            pofx.fit([x for x, t in zip(X, Y) if t == c], pofx.NgramSpec(order=3)) for c in ("en", "fr")
        ]
        for x in (NEW[0], NEW[-1], ""):
            odds = pofx.log_prob(fitted[0], x) - pofx.log_prob(fitted[1], x) + math.log(100 / 60)
            found = ours.predict_log_proba([x])[0]
            assert found[0] - found[1] == pytest.approx(odds, abs=1e-9)


class TestBackground:
    @pytest.mark.parametrize("length", ["own", "shared"])
    def test_each_class_is_mixed_with_all(self, length: Any) -> None:
        spec = pofx.NgramSpec(order=3, end=length == "own")
        ours = GenerativeClassifier(spec, background=0.7, length=length).fit(X, Y)
        pooled, classes = (
            pofx.fit(X, spec),
            [pofx.fit([x for x, t in zip(X, Y) if t == c], spec) for c in ("en", "fr")],
        )
        stop = (len(X) + 1) / (len(X) + sum(len(x.encode()) for x in X) + 2)
        for x in (*NEW[:5], ""):
            expected = []
            for lm in classes:
                mixed = pofx.interpolate([lm, pooled], [0.3, 0.7])
                if length == "own":
                    expected.append(pofx.log_prob(mixed, x))
                else:
                    n = len(x.encode())
                    expected.append(pofx.prefix_log_prob(mixed, x) + n * math.log1p(-stop) + math.log(stop))
            found = ours.predict_joint_log_proba([x])[0] - ours.class_log_prior_
            np.testing.assert_allclose(found, expected, atol=1e-9)

    def test_it_helps_where_documents_are_few(self) -> None:
        few, labels = X[:6] + X[-6:], Y[:6] + Y[-6:]
        loss = [
            log_loss(
                NEW_Y,
                GenerativeClassifier(pofx.NgramSpec(order=3), background=b)
                .fit(few, labels)
                .predict_proba(NEW),
            )
            for b in (0, 0.8)
        ]
        assert loss[1] < 0.7 * loss[0]


class TestGeometric:
    def test_laws(self) -> None:
        laws(geometric(ToyLM(ToyVocab(2, end=False), memory=2), 0.4))
        laws(geometric(pofx.fit(["ab", "abb", "b"], pofx.NgramSpec(3, vocab="chars", end=False)), 0.25))

    def test_the_laws_see_a_fault(self) -> None:
        class Leaky(Geometric):
            def __init__(self, lm: Any, stop: float) -> None:
                super().__init__(lm, stop, GeometricVocab(lm.vocab))
                self._go = 0.0

        with pytest.raises(Broken):
            laws(Leaky(ToyLM(ToyVocab(2, end=False), memory=2), 0.4))

    def test_the_length_is_geometric(self) -> None:
        lm = geometric(ToyLM(ToyVocab(2, end=False), memory=2), 0.3)
        for n in range(4):
            mass = math.fsum(math.exp(log_string(lm, p)) for p in itertools.product((0, 1), repeat=n))
            assert mass == pytest.approx(0.3 * 0.7**n)
        termination = lm.termination([0, 3])
        assert termination.alive == pytest.approx((0.7, 0.7**4))

    def test_refused(self) -> None:
        with pytest.raises(BadValue, match="ends no text"):
            geometric(ToyLM(), 0.5)
        for stop in (0, 1, math.nan):
            with pytest.raises(BadValue, match="stop"):
                geometric(ToyLM(ToyVocab(2, end=False)), stop)


# --- the estimator ---------------------------------------------------------------------------------------------------


class OfNumbers(GenerativeClassifier):
    """The estimator behind a reader of numbers, so that scikit-learn's own checks, which are of numbers, run on it."""

    def _read(self, rows: np.ndarray) -> list[str]:
        bins = np.clip(np.round(4 * rows.astype(float)), -30, 30).astype(int) + 31
        return ["".join(chr(0x4E00 + 64 * j + b) for j, b in enumerate(row)) for row in bins]

    def fit(self, X: Any, y: Any) -> OfNumbers:
        X, y = validate_data(self, X, y, dtype="numeric")
        return super().fit(self._read(X), y)

    def _posterior(self, X: Any) -> Any:
        self._check_fitted()
        return super()._posterior(self._read(validate_data(self, X, dtype="numeric", reset=False)))

    def predict_joint_log_proba(self, X: Any) -> Any:
        self._check_fitted()
        return super().predict_joint_log_proba(
            self._read(validate_data(self, X, dtype="numeric", reset=False))
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.string, tags.input_tags.one_d_array = True, False, False
        return tags


REASONS = {
    "check_estimators_pickle": "a pickle can run code: fitted classifiers travel by save and load only"
}


@parametrize_with_checks([OfNumbers()], expected_failed_checks=lambda e: REASONS, xfail_strict=True)
def test_the_checks_of_scikit_learn(estimator: Any, check: Callable[[Any], None]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


def test_text_input_is_declared() -> None:
    # scikit-learn has no data of text to check with, and says so; hence `OfNumbers` above, and what follows.
    with pytest.warns(SkipTestWarning, match="requires input"):
        check_estimator(GenerativeClassifier())
    for check in (
        check_estimator_cloneable,
        check_estimator_tags_renamed,
        check_valid_tag_types,
        check_estimator_repr,
        check_no_attributes_set_in_init,
        check_do_not_raise_errors_in_init_or_set_params,
        check_mixin_order,
        check_parameters_default_constructible,
        check_get_params_invariance,
        check_set_params,
    ):
        check("GenerativeClassifier", GenerativeClassifier())
    assert is_classifier(GenerativeClassifier())
    tags = GenerativeClassifier().__sklearn_tags__()
    assert tags.input_tags.string
    assert tags.input_tags.one_d_array
    assert not tags.input_tags.two_d_array
    assert tags.target_tags.required


class TestEstimator:
    def test_fit_predict_score(self) -> None:
        ours = GenerativeClassifier(pofx.NgramSpec(order=3))
        assert ours.fit(X, Y) is ours
        assert ours.classes_.tolist() == ["en", "fr"]
        assert ours.class_count_.tolist() == [100, 60]
        np.testing.assert_allclose(ours.class_log_prior_, np.log([100 / 160, 60 / 160]))
        proba = ours.predict_proba(NEW)
        np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-12)
        np.testing.assert_allclose(np.log(proba), ours.predict_log_proba(NEW), atol=1e-9)
        assert ours.score(NEW, NEW_Y) == accuracy_score(NEW_Y, ours.predict(NEW)) > 0.97
        joint = ours.predict_joint_log_proba(NEW)
        np.testing.assert_allclose(logsumexp(joint, axis=1), ours.log_evidence(NEW))

    def test_in_pipelines_and_searches(self) -> None:
        lower = FunctionTransformer(lambda documents: [x.lower() for x in documents])
        pipe = make_pipeline(lower, GenerativeClassifier(pofx.NgramSpec(order=2)))
        assert cross_val_score(pipe, X, Y, cv=3).min() > 0.9
        search = GridSearchCV(
            GenerativeClassifier(),
            {"spec": [NAIVE, pofx.NgramSpec(order=3)], "prior": ["uniform", "empirical"]},
            cv=3,
            scoring="neg_log_loss",
            error_score="raise",
        ).fit(X, Y)
        assert search.best_params_["spec"].order == 3
        proba = cross_val_predict(GenerativeClassifier(), np.array(X), Y, cv=3, method="predict_log_proba")
        assert proba.shape == (160, 2)

    def test_clones_share_models_and_copy_the_rest(self) -> None:
        lm, prior = ToyLM(), np.array([0.5, 0.5])
        first = GenerativeClassifier(lm, given={"p": "a", "q": "b"}, prior=prior)
        second = clone(first)
        assert second.spec is lm
        assert second.prior is not prior
        assert second.given == first.given
        fitted = GenerativeClassifier(NAIVE).fit(X, Y)
        with pytest.raises(NotFittedError):
            clone(fitted).predict(["x"])

    def test_pickling_is_refused(self) -> None:
        assert pickle.loads(pickle.dumps(GenerativeClassifier(NAIVE))).spec == NAIVE  # noqa: S301  (holds no model)
        for holds_a_model in (GenerativeClassifier(NAIVE).fit(X, Y), GenerativeClassifier(ToyLM(), given={})):
            with pytest.raises(BadValue, match=r"\.save\(directory\).*GenerativeClassifier\.load"):
                pickle.dumps(holds_a_model)

    @pytest.mark.parametrize("way", [copy.copy, copy.deepcopy])
    def test_copies_hold_the_same_models(self, way: Callable[[Any], Any]) -> None:
        first = GenerativeClassifier(NAIVE, prior=np.array([0.5, 0.5])).fit(X, Y).fit_rejection(X)
        second = way(first)
        assert second.joint_ is first.joint_
        assert np.array_equal(second.predict_log_proba(X), first.predict_log_proba(X))
        assert np.array_equal(second.outlier_p(X), first.outlier_p(X))
        second.fit(X[:50], [1] * 25 + [2] * 25)
        assert first.classes_.tolist() == ["en", "fr"] and first.joint_ is not second.joint_
        lm = ToyLM()
        assert way(GenerativeClassifier(lm, given={"p": "a"})).spec is lm

    @pytest.mark.parametrize(
        "labels",
        [
            ["b", "a"],
            [7, -1],
            [True, False],
            [2.0, 1.0],
            np.array(["x", "y"], dtype=object),
            np.array([3, 9]),
        ],
        ids=["str", "int", "bool", "float", "object", "array"],
    )
    def test_labels_of_any_type(self, labels: Any, tmp_path: Path) -> None:
        y = [labels[i % 2] for i in range(8)]
        documents = ["aaab", "bbba"] * 4
        ours = GenerativeClassifier(NAIVE).fit(documents, np.array(y, dtype=getattr(labels, "dtype", None)))
        assert ours.classes_.tolist() == sorted(set(y))
        assert ours.predict(documents).tolist() == y
        ours.save(tmp_path / "c")
        again = GenerativeClassifier.load(tmp_path / "c")
        assert again.classes_.dtype.kind == np.array(sorted(set(y))).dtype.kind
        assert again.predict(documents).tolist() == y

    @pytest.mark.parametrize(
        ("documents", "said"),
        [
            ("a text", "found one text"),
            (b"bytes", "found one text"),
            ([1, 2], "found int as document 0"),
            (["a", None], "found NoneType as document 1"),
            (np.zeros((2, 3)), r"shape \[2, 3\]"),
            (7, "found int"),
        ],
    )
    def test_what_is_no_list_of_texts(self, documents: Any, said: str) -> None:
        with pytest.raises(BadValue, match=said):
            GenerativeClassifier(NAIVE).fit(documents, ["a", "b"])
        with pytest.raises(BadValue, match=said):
            GenerativeClassifier(NAIVE).fit(X, Y).predict(documents)

    @pytest.mark.parametrize(
        ("y", "said"),
        [
            (None, "y to be passed"),
            (["a"], "inconsistent numbers of samples"),
            (["a", None], r"found None \(or NaN\) for 1"),
            ([0.5, 1.7], "continuous"),
            ([1.0, math.nan], "NaN"),
        ],
    )
    def test_what_are_no_labels(self, y: Any, said: str) -> None:
        with pytest.raises(ValueError, match=said):
            GenerativeClassifier(NAIVE).fit(["a", "b"], y)

    def test_no_documents(self) -> None:
        with pytest.raises(PofxError, match="found none"):
            GenerativeClassifier(NAIVE).fit([], [])

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"spec": "ngram"}, "spec: expected"),
            ({"prior": "flat"}, "prior: expected"),
            ({"prior": [1, 2, 3]}, "expected 2 finite numbers"),
            ({"prior": [-1, 2]}, "at least 0"),
            ({"prior": [0, 0]}, "not all zero"),
            ({"prior": {"en": 1}}, "'fr'"),
            ({"prior": ["a", "b"]}, "expected 2 finite numbers"),
            ({"length": "none"}, "length: expected"),
            ({"em": -1}, "em: expected"),
            ({"power": 0}, "power: expected"),
            ({"background": 1}, "background: expected"),
            ({"background": 0.5, "spec": ToyLM(), "given": {"en": "a", "fr": "b"}}, "in common"),
            ({"spec": ToyLM()}, "given: expected"),
            ({"spec": ToyLM(), "given": {"en": "a"}}, "found none for 'fr'"),
            (
                {"spec": ToyLM(), "given": {"en": "a", "fr": "b"}, "length": "shared"},
                "length: expected 'own'",
            ),
            ({"spec": pofx.NgramSpec(vocab=pofx.ByteVocab()), "length": "shared"}, "make it with end=False"),
            ({"spec": pofx.NgramSpec(end=False)}, "EOS"),
            ({"spec": pofx.NgramSpec(begin=False)}, "x0"),
        ],
    )
    def test_settings_are_refused_at_fit(self, settings: dict[str, Any], said: str) -> None:
        with pytest.raises(PofxError, match=said) as e:
            GenerativeClassifier(**settings).fit(X, Y)
        assert "\n" not in str(e.value)

    def test_a_wrong_prior_is_told_before_anything_is_fitted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def never(*anything: Any) -> None:
            raise AssertionError("fitted")

        monkeypatch.setattr("pofx.classification.families.fit", never)
        with pytest.raises(BadValue, match="prior: expected 2 finite numbers"):
            GenerativeClassifier(prior=[1.0]).fit(X, Y)
        with pytest.raises(AssertionError, match="fitted"):
            GenerativeClassifier().fit(X, Y)

    def test_sampling(self) -> None:
        ours = GenerativeClassifier(pofx.NgramSpec(order=4)).fit(X, Y)
        draws = ours.sample("fr", 30, seed=1)
        assert [d.text for d in draws] == [d.text for d in ours.sample("fr", 30, seed=1)]
        french = pofx.fit([x for x, t in zip(X, Y) if t == "fr"], pofx.NgramSpec(order=4))
        assert draws[0].total == pytest.approx(pofx.log_prob(french, draws[0].bytes))
        assert np.mean(ours.predict([d.bytes for d in draws]) == "fr") > 0.9
        assert all(d.ended for d in GenerativeClassifier(NAIVE, length="shared").fit(["ab", "b"], [0, 1])
                   .sample(1, 20, max_tokens=999, seed=0))  # fmt: skip
        with pytest.raises(BadValue, match="expected one of 'en', 'fr', found 'de'"):
            ours.sample("de")


class TestPriors:
    fitted = GenerativeClassifier(pofx.NgramSpec(order=2)).fit(X, Y)

    def test_another_prior_after_fitting(self) -> None:
        before = self.fitted.predict_log_proba(NEW)
        likelihood = self.fitted.predict_joint_log_proba(NEW) - self.fitted.class_log_prior_
        for prior, p in (
            ("uniform", [0.5, 0.5]),
            ([9, 1], [0.9, 0.1]),
            ({"fr": 0.2, "en": 0.8}, [0.8, 0.2]),
            ("empirical", [100 / 160, 60 / 160]),
        ):
            other = self.fitted.with_prior(prior)
            joint = likelihood + np.log(p)
            np.testing.assert_allclose(
                other.predict_log_proba(NEW), joint - logsumexp(joint, axis=1)[:, None], atol=1e-9
            )
            assert other.get_params()["prior"] == prior
            assert other.joint_.lms[0] is self.fitted.joint_.lms[0]
        np.testing.assert_array_equal(before, self.fitted.predict_log_proba(NEW))

    def test_a_prior_of_zero(self) -> None:
        other = self.fitted.with_prior({"en": 0, "fr": 1})
        assert other.predict(ENGLISH).tolist() == ["fr"] * len(ENGLISH)
        assert np.isneginf(other.predict_log_proba(ENGLISH)[:, 0]).all()
        np.testing.assert_array_equal(other.predict_proba(ENGLISH)[:, 1], 1)

    def test_wrong_priors(self) -> None:
        with pytest.raises(BadValue, match="expected 2 finite numbers"):
            self.fitted.with_prior([1.0])


# --- what is odd -----------------------------------------------------------------------------------------------------


class TestOddTexts:
    def test_a_single_class(self) -> None:
        ours = GenerativeClassifier(NAIVE).fit(["ab", "b"], ["only", "only"])
        assert ours.predict(["zzz", ""]).tolist() == ["only", "only"]
        np.testing.assert_array_equal(ours.predict_log_proba(["zzz", ""]), 0)
        np.testing.assert_allclose(ours.log_evidence(["ab"]), pofx.log_prob(ours.joint_.lms[0], "ab"))

    @pytest.mark.parametrize("length", ["own", "shared"])
    @pytest.mark.parametrize("smoothing", ["kneser-ney", "additive"])
    def test_empty_texts(self, length: Any, smoothing: str) -> None:
        spec = pofx.NgramSpec(order=3, smoothing=smoothing)
        ours = GenerativeClassifier(spec, length=length).fit(["", "", "ab", "ba"], [0, 0, 1, 1])
        proba = ours.predict_proba(["", "ab"])
        np.testing.assert_allclose(proba.sum(axis=1), 1)
        if length == "own":
            assert ours.predict(["", "ab"]).tolist() == [0, 1]
        else:  # no text is as likely under both: the length is the same law
            assert proba[0] == pytest.approx([0.5, 0.5])

    def test_a_text_that_no_class_can_produce(self) -> None:
        ours = GenerativeClassifier(pofx.NgramSpec(order=2, smoothing="mle")).fit(["ab", "ba"], [0, 1])
        assert ours.log_evidence(["ab", "zz", "b"])[1] == -math.inf
        np.testing.assert_array_equal(ours.predict_proba(["ab", "ba"]), [[1, 0], [0, 1]])
        for ask in (ours.predict, ours.predict_proba, ours.predict_log_proba):
            with pytest.raises(Impossible, match=r"document 1 \(and 1 more\).*p\(x\) = 0"):
                ask(["ab", "zz", "ba", "xx"])
        with pytest.raises(Impossible, match="positive prior"):  # the one class that could is excluded
            ours.with_prior([0, 1]).predict(["ab"])

    def test_unseen_characters(self) -> None:
        closed = GenerativeClassifier(pofx.NgramSpec(order=2, vocab="chars")).fit(["ab", "cd"], [0, 1])
        # One vocabulary for all classes: a letter of another class is improbable, not unknown.
        assert closed.predict(["ad", "cb", "cd"]).tolist()[2] == 1
        with pytest.raises(NotText, match=r"document 1: .*'é'"):
            closed.predict(["ab", "é"])
        with pytest.raises(NotText, match="document 2"):
            closed.predict(["ab", "ab", "\ud800"])
        for vocab in ("bytes", "chars+bytes"):
            spec = pofx.NgramSpec(order=2, vocab=vocab)
            open_ = GenerativeClassifier(spec).fit(["ab", "cd"], [0, 1])
            assert np.isfinite(open_.log_evidence(["é", b"\xff", "</s>"])).all()

    def test_bytes_and_strings_are_one(self) -> None:
        ours = GenerativeClassifier(NAIVE).fit([x.encode() for x in X], Y)
        np.testing.assert_array_equal(
            ours.predict_log_proba(NEW), ours.predict_log_proba([x.encode() for x in NEW])
        )

    def test_a_class_without_documents(self) -> None:
        with pytest.raises(BadSource, match="class 'c': expected at least one document"):
            fit_joint(["x"], np.array([0]), ["a", "c"], NAIVE)
        # One model behind prefixes needs none: the class is there, and has probability 0 unless a prior says more.
        ours = GenerativeClassifier(ToyLM(), given={"p": "a", "q": "b"}).fit(["ab", "b"], ["p", "p"])
        assert ours.class_count_.tolist() == [2, 0]
        assert ours.predict(["ba"]).tolist() == ["p"]
        assert 0 < ours.with_prior("uniform").predict_proba(["ba"])[0, 1] < 1
        with pytest.raises(BadValue, match="'empirical', found none"):
            GenerativeClassifier(ToyLM(), given={"p": "a", "q": "b"}).fit([], [])
        zero_shot = GenerativeClassifier(ToyLM(), given={"p": "a", "q": "b"}, prior="uniform").fit([], [])
        assert zero_shot.predict_proba(["ba"]).sum() == pytest.approx(1)

    def test_no_predictions_for_no_texts(self) -> None:
        ours = GenerativeClassifier(NAIVE).fit(X, Y)
        assert ours.predict([]).shape == (0,)
        assert ours.predict_proba([]).shape == (0, 2)


# --- one model behind prefixes ---------------------------------------------------------------------------------------


class TestPrefixes:
    prefixes = {"p": "aab", "q": "bc", "r": ""}

    def test_bayes_rule_behind_prefixes(self) -> None:
        lm = ToyLM(seed=4, memory=4)
        ours = GenerativeClassifier(lm, given=self.prefixes, prior=[0.2, 0.3, 0.5]).fit(["a"], ["p"])
        strings = [x.decode() for x in letters(lm.vocab, 3)]
        joint = np.array([[pofx.log_prob(lm, x, given=g) for g in self.prefixes.values()] for x in strings])
        joint += np.log([0.2, 0.3, 0.5])
        np.testing.assert_allclose(ours.predict_joint_log_proba(strings), joint, atol=1e-12)
        np.testing.assert_allclose(ours.log_evidence(strings), logsumexp(joint, axis=1))
        draw = ours.sample("q", 1, seed=3)[0]
        assert draw.total == pytest.approx(pofx.log_prob(lm, draw.bytes, given="bc"))

    def test_a_spec_and_prefixes_fit_one_model(self) -> None:
        spec = pofx.NgramSpec(order=5)
        ours = GenerativeClassifier(spec, given={"en": "E\n", "fr": "F\n"}).fit(X, Y)
        one = pofx.fit([{"en": "E\n", "fr": "F\n"}[t] + x for x, t in zip(X, Y)], spec)
        assert len(ours.joint_.lms) == 1
        np.testing.assert_allclose(
            ours.predict_joint_log_proba(["mot"])[0] - ours.class_log_prior_,
            [pofx.log_prob(one, "mot", given=g) for g in ("E\n", "F\n")],
        )
        assert concatenate("a", b"b") == b"ab"

    def test_prefixes_are_read_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("transformers")
        import pofx.models.pretrained.model as pretrained
        from tiny_checkpoints import write

        lm = pofx.load(write(tmp_path, "llama"))
        read: list[int] = []
        real = pretrained.prefix_tree

        def counted(rows: Any, worth: int) -> Any:
            tree = real(rows, worth)
            read.append(len(tree.stream))
            return tree

        monkeypatch.setattr(pretrained, "prefix_tree", counted)
        prefixes = {"p": "This text is good:", "q": "And here is a bad one:"}
        strings = [f"no {i} of these" for i in range(10)]
        ours = GenerativeClassifier(lm, given=prefixes, prior="uniform").fit([], [])
        ours.predict(strings)
        # EOS is nobody's input; each prefix is there once, each text once behind each of them.
        behind_prefixes = sum(len(lm.vocab.encode(g)) for g in prefixes.values())
        alone = sum(len(lm.vocab.continuation.encode(x)) for x in strings)
        assert len(read) == 1
        assert behind_prefixes < read[0] <= behind_prefixes + len(prefixes) * alone
        naive = sum(len(lm.vocab.encode(g)) + len(lm.vocab.continuation.encode(x)) for g in prefixes.values() for x in strings)  # fmt: skip
        assert read[0] < 0.5 * naive


# --- EM --------------------------------------------------------------------------------------------------------------


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
        with pytest.raises(BadValue, match="found none"):
            GenerativeClassifier(NAIVE, em=2).fit(["a", "b"], [-1, -1])
        with pytest.raises(BadValue, match="em=20"):
            fit_joint(["x", "y"], np.array([0, -1]), ["a"], NAIVE)


# --- outliers --------------------------------------------------------------------------------------------------------


class TestRejection:
    def test_p_is_conformal(self) -> None:
        values = np.array([-5.0, -4.0, -3.0, -2.0])
        reference = make_rejection(values, np.zeros(4, dtype=np.int64))
        asked = np.array([-9.0, -5.0, -3.5, 0.0])
        assert reference.p(asked, np.zeros(4, dtype=np.int64)).tolist() == [0.2, 0.4, 0.6, 1.0]
        # Exchangeable: each of the five places is as probable, so that P(p ≤ s) ≤ s, by enumeration.
        pool = np.array([-3.0, -2.5, -1.0, -0.5, -0.1])
        p = [
            make_rejection(np.delete(pool, i), np.zeros(4, dtype=np.int64)).p(
                pool[i : i + 1], np.zeros(1, dtype=np.int64)
            )[0]
            for i in range(5)
        ]
        assert sorted(p) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])

    @settings(max_examples=60, deadline=None)
    @over(st.lists(st.integers(-20, 0), min_size=1, max_size=30), st.floats(0.01, 0.99), st.integers(-22, 2))
    def test_below_the_threshold_just_where_p_is_small(
        self, held: list[int], share: float, value: int
    ) -> None:
        reference = Rejection(np.sort(np.array(held, dtype=float)))
        p = reference.p(np.array([float(value)]), np.zeros(1, dtype=np.int64))[0]
        if abs(p - share) > 1e-6:
            assert (value < reference.threshold(share)) == (p <= share)

    def test_many_are_thinned(self) -> None:
        rng = np.random.default_rng(0)
        values = rng.normal(size=20_000)
        reference = make_rejection(values, np.zeros(20_000, dtype=np.int64), per="text")
        assert len(reference.held_out) == KEPT
        asked = np.array([-2.0, 0.0, 1.0])
        exact = [(1 + (values <= v).sum()) / 20_001 for v in asked]
        np.testing.assert_allclose(reference.p(asked, np.zeros(3, dtype=np.int64)), exact, atol=2e-3)

    def test_another_language_is_rejected(self) -> None:
        ours = GenerativeClassifier(pofx.NgramSpec(order=4)).fit(ENGLISH[:200], ["en"] * 200)
        with pytest.raises(BadValue, match="fit_rejection"):
            ours.outlier_p(FRENCH)
        ours.fit_rejection(ENGLISH[200:])
        assert np.mean(ours.outlier_p(FRENCH) <= 0.05) > 0.8
        by_text = ours.fit_rejection(ENGLISH[200:], per="text").outlier_p(FRENCH)
        assert np.mean(by_text <= 0.05) < 0.8  # mostly a measure of the length
        ours.fit(ENGLISH[:200], ["en"] * 200)
        assert not hasattr(ours, "rejection_")

    def test_refused(self) -> None:
        with pytest.raises(BadValue, match="at least one text"):
            make_rejection(np.zeros(0), np.zeros(0, dtype=np.int64))
        with pytest.raises(BadValue, match="per: expected"):
            make_rejection(np.zeros(1), np.zeros(1, dtype=np.int64), per="token")  # type: ignore[arg-type]
        for share in (0, 1, math.nan):
            with pytest.raises(BadValue, match="share"):
                Rejection(np.zeros(1)).threshold(share)


# --- evaluation ------------------------------------------------------------------------------------------------------


class TestEvaluation:
    def test_as_scikit_learn_has_it(self) -> None:
        rng = np.random.default_rng(3)
        p = rng.dirichlet(np.ones(4), 300)
        truth = rng.integers(0, 4, 300)
        found = evaluate(np.log(p), truth)
        best = p.argmax(axis=1)
        assert found.accuracy == pytest.approx(accuracy_score(truth, best))
        assert found.log_loss == pytest.approx(log_loss(truth, p))
        np.testing.assert_array_equal(found.confusion, confusion_matrix(truth, best))
        np.testing.assert_allclose(found.recall, recall_score(truth, best, average=None))
        np.testing.assert_allclose(found.precision, precision_score(truth, best, average=None))
        assert sum(b.n for b in found.bins) == 300

    def test_calibration(self) -> None:
        p = np.array([[0.95, 0.05]] * 20 + [[0.35, 0.65]] * 10 + [[0.0, 1.0]])
        truth = np.array([0] * 19 + [1] + [1] * 5 + [0] * 5 + [1])
        with np.errstate(divide="ignore"):
            found = evaluate(np.log(p), truth)
        assert [(b.low, b.n) for b in found.bins] == [(0.6, 10), (0.9, 21)]
        assert found.bins[0].accuracy == 0.5
        expected = (10 * abs(0.5 - 0.65) + 21 * abs(20 / 21 - (20 * 0.95 + 1) / 21)) / 31
        assert found.calibration_error == pytest.approx(expected)

    def test_a_true_class_of_posterior_zero(self) -> None:
        with np.errstate(divide="ignore"):
            found = evaluate(np.log(np.array([[1.0, 0.0], [1.0, 0.0]])), np.array([0, 1]))
        assert found.log_loss == math.inf
        assert np.isnan(found.precision[1])
        with pytest.raises(BadValue, match="found none"):
            evaluate(np.zeros((0, 2)), np.zeros(0, dtype=np.int64))


# --- files -----------------------------------------------------------------------------------------------------------


class TestFiles:
    @pytest.mark.parametrize(
        "settings",
        [
            {"spec": pofx.NgramSpec(order=3)},
            {"spec": NAIVE, "length": "shared", "prior": {"en": 0.25, "fr": 0.75}, "power": 0.5},
            {"spec": pofx.NgramSpec(order=2, vocab="chars+bytes"), "prior": [0.0, 1.0]},
            {"spec": pofx.NgramSpec(order=4), "given": {"en": "E ", "fr": b"\xff"}, "prior": "uniform"},
            {"spec": pofx.NgramSpec(order=2, vocab=pofx.ByteVocab()), "background": 0.7},
            {"spec": pofx.NgramSpec(order=2, vocab="chars+bytes"), "background": 0.3, "length": "shared"},
        ],
    )
    def test_what_is_read_is_what_was_written(self, settings: dict[str, Any], tmp_path: Path) -> None:
        ours = GenerativeClassifier(**settings).fit(X, Y).fit_rejection(NEW)
        ours.save(tmp_path / "c")
        again = GenerativeClassifier.load(tmp_path / "c")
        np.testing.assert_array_equal(again.predict_log_proba(NEW), ours.predict_log_proba(NEW))
        np.testing.assert_array_equal(again.outlier_p(NEW), ours.outlier_p(NEW))
        assert again.classes_.tolist() == ours.classes_.tolist()
        assert again.length == ours.length
        assert again.given == ours.given
        assert clone(again).fit(X, Y).predict_log_proba(NEW) == pytest.approx(ours.predict_log_proba(NEW))
        assert again.with_prior("uniform").class_log_prior_.tolist() == pytest.approx(
            np.log([0.5, 0.5]).tolist()
        )
        assert not any(p.suffix in (".pkl", ".joblib") for p in tmp_path.rglob("*"))
        again.save(tmp_path / "c")  # replaced
        assert sorted(p.name for p in tmp_path.iterdir()) == ["c"]

    def test_a_model_from_outside_is_named_not_copied(self, tmp_path: Path) -> None:
        lm = pofx.warp(pofx.fit(X, pofx.NgramSpec(order=3)), temperature=0.9)
        lm.fingerprint = "f" * 64
        ours = GenerativeClassifier(lm, given={"en": "the ", "fr": "le "}).fit(X, Y)
        ours.save(tmp_path / "c")
        assert [p.name for p in (tmp_path / "c").iterdir()] == [CARD]
        again = GenerativeClassifier.load(tmp_path / "c", lm=lm)
        assert again.spec is lm
        np.testing.assert_array_equal(again.predict_log_proba(NEW), ours.predict_log_proba(NEW))
        with pytest.raises(BadValue, match=r"found none; give it \(lm="):
            GenerativeClassifier.load(tmp_path / "c")
        with pytest.raises(BadValue, match="fingerprint"):
            GenerativeClassifier.load(tmp_path / "c", lm=ToyLM())

    def test_damage_is_seen(self, tmp_path: Path) -> None:
        home = tmp_path / "c"
        GenerativeClassifier(NAIVE).fit(X, Y).save(home)
        card = (home / CARD).read_bytes()
        for damaged in (card[:-40], b"[]", b"", b"\xff", card.replace(b'"own"', b'"own "'), b'{"format": 2}'):
            (home / CARD).write_bytes(damaged)
            with pytest.raises(BadSource) as e:
                GenerativeClassifier.load(home)
            assert "\n" not in str(e.value)
        (home / CARD).write_bytes(card)
        GenerativeClassifier.load(home)
        inner = home / "0001" / "pofx.json"
        kept = inner.read_bytes()
        inner.write_bytes((home / "0000" / "pofx.json").read_bytes())
        with pytest.raises(BadSource, match="0001"):
            GenerativeClassifier.load(home)
        inner.write_bytes(kept)
        for old, new in (("0000", "x"), ("0001", "0000"), ("x", "0001")):  # each whole, in the other's place
            (home / old).rename(home / new)
        with pytest.raises(BadSource, match="0000"):
            GenerativeClassifier.load(home)
        weights = home / "0000" / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
        with pytest.raises(BadSource):
            GenerativeClassifier.load(home)

    def test_a_card_that_is_sealed_but_wrong(self, tmp_path: Path) -> None:
        from pofx.classification import files

        home = tmp_path / "c"
        GenerativeClassifier(NAIVE).fit(X, Y).save(home)
        card = json.loads((home / CARD).read_text())
        del card["seal"]
        for name, value in (
            ("classes", {"type": "int", "values": ["x", "y"]}),
            ("classes", {"type": "object", "values": ["x", "y"]}),
            ("classes", {"type": "str", "values": ["x"]}),
            ("log_prior", "none"),
            ("models", "two"),
            ("models", 9),
            ("spec", {"family": "pickle"}),
            ("rejection", {"per": "byte"}),
        ):
            changed = {**card, name: value}
            (home / CARD).write_text(json.dumps({**changed, "seal": files._seal(changed)}))
            with pytest.raises(BadSource):
                load_joint(home)

    def test_places_that_are_no_place(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        ours = GenerativeClassifier(NAIVE).fit(X, Y)
        (tmp_path / "file").write_text("mine")
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "mine").write_text("mine")
        monkeypatch.chdir(tmp_path)
        for target in ("file", "full", "file/below", ".", "x" * 300):
            with pytest.raises(BadSource) as e:
                ours.save(target)
            assert "\n" not in str(e.value)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "full"]
        with pytest.raises(BadSource, match="pofx classify train"):
            GenerativeClassifier.load("full")
        with pytest.raises(NotFittedError):
            GenerativeClassifier(NAIVE).save(tmp_path / "c")

    def test_more_than_a_card_holds(self, tmp_path: Path) -> None:
        ours = GenerativeClassifier(ToyLM(), given={"p": "a", "q": "b" * (1 << 20)}, prior="uniform").fit(
            [], []
        )
        with pytest.raises(BadValue, match="fewer or shorter"):
            ours.save(tmp_path / "c")
        assert not list(tmp_path.iterdir())

    def test_transformers(self, tmp_path: Path) -> None:
        pytest.importorskip("torch")
        spec = pofx.TransformerSpec(layers=1, width=8, heads=1, context=32, vocab="chars+bytes", epochs=1)
        for given in (None, {"en": "E ", "fr": "F "}):
            ours = GenerativeClassifier(spec, given=given).fit(X[90:120], Y[90:120])
            assert len(ours.joint_.lms) == (2 if given is None else 1)
            ours.save(tmp_path / "c")
            again = GenerativeClassifier.load(tmp_path / "c")
            np.testing.assert_allclose(again.predict_log_proba(NEW), ours.predict_log_proba(NEW), atol=1e-4)
            assert again.spec == replace(spec, vocab=again.spec.vocab)

    def test_labels_that_no_file_holds(self, tmp_path: Path) -> None:
        joint = Joint(((1, 2), (3, 4)), (ToyLM(), ToyLM()), None, np.ones(2), np.log([0.5, 0.5]))
        from pofx.classification.files import ClassifierSettings, save_joint

        with pytest.raises(BadValue, match="labels: expected strings"):
            save_joint(joint, ClassifierSettings(NAIVE), None, tmp_path / "c")


# --- what is loaded when ---------------------------------------------------------------------------------------------


def python(code: str) -> str:
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_scikit_learn_is_loaded_by_the_estimator_alone() -> None:
    out = python(
        "import sys, pofx\npofx.fit(['ab'], pofx.NgramSpec(order=2))\n"
        "import pofx.classification.training, pofx.classification.files\nprint('sklearn' in sys.modules)\n"
        "pofx.GenerativeClassifier\nprint('sklearn' in sys.modules, 'torch' in sys.modules)"
    )
    assert out.split() == ["False", "True", "False"]


def test_without_scikit_learn() -> None:
    out = python(
        "import sys\nsys.modules['sklearn'] = None\nfrom pofx import *\n"
        "try:\n    GenerativeClassifier()\nexcept MissingExtra as e:\n    print(e)"
    )
    assert "pip install 'pofx[classify]'" in out
    assert out.count("\n") == 1
