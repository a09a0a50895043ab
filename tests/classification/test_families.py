"""Class models: naive Bayes as scikit-learn has it, backgrounds, lengths, and one model after prefixes."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st
from proverbs import (
    NAIVE,
    NEW,
    NEW_Y,
    GenerativeClassifier,
    X,
    Y,
    byte_counts,
    letters,
)
from sklearn.metrics import log_loss
from sklearn.naive_bayes import MultinomialNB

import pofx
from laws import Broken, laws
from pofx.algorithms.logspace import logsumexp
from pofx.classification.families import concatenate
from pofx.errors import BadValue
from pofx.transforms.geometric import Geometric, GeometricVocab, geometric
from toy import ToyLM, ToyVocab, log_string

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
        # EOS is nobody's input; each prefix is there once, each text once after each of them.
        behind_prefixes = sum(len(lm.vocab.encode(g)) for g in prefixes.values())
        alone = sum(len(lm.vocab.continuation.encode(x)) for x in strings)
        assert len(read) == 1
        assert behind_prefixes < read[0] <= behind_prefixes + len(prefixes) * alone
        naive = sum(len(lm.vocab.encode(g)) + len(lm.vocab.continuation.encode(x)) for g in prefixes.values() for x in strings)  # fmt: skip
        assert read[0] < 0.5 * naive
