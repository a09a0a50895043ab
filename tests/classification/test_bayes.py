"""Bayes' rule by enumeration, and priors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from proverbs import (
    ENGLISH,
    NEW,
    GenerativeClassifier,
    X,
    Y,
    letters,
)

import pofx
from pofx.algorithms.logspace import logsumexp
from pofx.classification.bayes import bayes, log_evidence, log_likelihoods, log_likelihoods_behind
from pofx.classification.joint import Joint
from pofx.errors import BadValue, NoBOS, NoEOS
from pofx.jobs.class_rows import ClassRows
from pofx.transforms.geometric import geometric
from toy import ToyLM, ToyVocab, log_string


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
