"""The estimator as scikit-learn expects it: its own checks, parameters, odd texts, and what is imported when."""

from __future__ import annotations

import copy
import math
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from proverbs import (
    NAIVE,
    NEW,
    NEW_Y,
    GenerativeClassifier,
    X,
    Y,
)
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
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
from pofx.algorithms.logspace import logsumexp
from pofx.classification.training import fit_joint
from pofx.errors import BadSource, BadValue, Impossible, NotText, PofxError
from toy import ToyLM


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
            ("a text", "got one text"),
            (b"bytes", "got one text"),
            ([1, 2], "got int as document 0"),
            (["a", None], "got NoneType as document 1"),
            (np.zeros((2, 3)), r"shape \[2, 3\]"),
            (7, "got int"),
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
            (["a", None], r"got None \(or NaN\) for 1"),
            ([0.5, 1.7], "continuous"),
            ([1.0, math.nan], "NaN"),
        ],
    )
    def test_what_are_no_labels(self, y: Any, said: str) -> None:
        with pytest.raises(ValueError, match=said):
            GenerativeClassifier(NAIVE).fit(["a", "b"], y)

    def test_no_documents(self) -> None:
        with pytest.raises(PofxError, match="got none"):
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
            ({"background": 0.5, "spec": ToyLM(), "given": {"en": "a", "fr": "b"}}, "all classes share"),
            ({"spec": ToyLM()}, "given: expected"),
            ({"spec": ToyLM(), "given": {"en": "a"}}, "got none for 'fr'"),
            (
                {"spec": ToyLM(), "given": {"en": "a", "fr": "b"}, "length": "shared"},
                "length: expected 'own'",
            ),
            (
                {"spec": pofx.NgramSpec(vocab=pofx.ByteVocab()), "length": "shared"},
                "make the vocabulary without EOS",
            ),
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
        with pytest.raises(BadValue, match="expected one of 'en', 'fr', got 'de'"):
            ours.sample("de")


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
        # One model after prefixes needs none: the class is there, and has probability 0 unless a prior says more.
        ours = GenerativeClassifier(ToyLM(), given={"p": "a", "q": "b"}).fit(["ab", "b"], ["p", "p"])
        assert ours.class_count_.tolist() == [2, 0]
        assert ours.predict(["ba"]).tolist() == ["p"]
        assert 0 < ours.with_prior("uniform").predict_proba(["ba"])[0, 1] < 1
        with pytest.raises(BadValue, match="'empirical', got none"):
            GenerativeClassifier(ToyLM(), given={"p": "a", "q": "b"}).fit([], [])
        zero_shot = GenerativeClassifier(ToyLM(), given={"p": "a", "q": "b"}, prior="uniform").fit([], [])
        assert zero_shot.predict_proba(["ba"]).sum() == pytest.approx(1)

    def test_no_predictions_for_no_texts(self) -> None:
        ours = GenerativeClassifier(NAIVE).fit(X, Y)
        assert ours.predict([]).shape == (0,)
        assert ours.predict_proba([]).shape == (0, 2)


def python(code: str) -> str:
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.thorough
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


@pytest.mark.parametrize("given", ["Comedy: ", ["Comedy: ", "Tragedy: "], 3])
def test_prefixes_that_are_no_mapping_are_refused(given: object) -> None:
    with pytest.raises(BadValue, match="given: expected a mapping from labels to prefixes, got"):
        GenerativeClassifier(given=given).fit(["a", "b"], ["x", "y"])  # type: ignore[arg-type]
