"""A filter judges texts: the posterior, the quantile, the reasons; and what a fit refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from filter_toys import proverbs, toy_filter

import pofx
from pofx.errors import BadSource, BadValue
from pofx.filtering.fitting import fit_filter
from pofx.filtering.quality import QualityFilter, filter_texts


@pytest.fixture(scope="module")
def quality() -> QualityFilter:
    return toy_filter()


def test_numbers_are_those_of_the_models(quality: QualityFilter) -> None:
    texts = ["Time is gold.", "Le temps passe.", "zzzz"]
    joint = np.array([[pofx.log_prob(lm, t) for lm in quality.router.lms] for t in texts]) + math.log(0.5)
    posterior = np.exp(joint - np.logaddexp(joint[:, :1], joint[:, 1:]))
    assert np.abs(posterior.sum(axis=1) - 1).max() < 1e-12
    for k, (text, found) in enumerate(zip(texts, filter_texts(quality, texts))):
        best = int(np.argmax(joint[k]))
        assert found.log_p == pytest.approx(pofx.log_prob(quality.router.lms[best], text), abs=1e-9)
        assert found.posterior == pytest.approx(posterior[k, best], abs=1e-12)
        assert found.bits_per_byte == pytest.approx(-found.log_p / math.log(2) / len(text))
        assert found.language in (None, ("en", "fr")[best])


def test_reasons(quality: QualityFilter) -> None:
    texts = ["A stitch saves the day.", " \n ", "aGVsbG8gd29ybGQ=", "the the"]
    assert [j.reason for j in filter_texts(quality, texts)] == ["", "empty", "improbable", "improbable"]


def test_a_fitted_document_is_never_too_predictable(quality: QualityFilter) -> None:
    everything = [t for texts in proverbs().values() for t in texts]
    found = filter_texts(quality, everything)
    low = [j for j in found if j.fitted and j.bits_per_byte < quality.bounds[0].low]
    assert low
    assert not any(j.reason == "predictable" for j in low)
    fresh = [j for j in found if not j.fitted and j.language == "en"]
    assert sum(not j.reason for j in fresh) == quality.bounds[0].kept
    assert len(fresh) == quality.bounds[0].documents


def test_outliers_are_of_no_known_language() -> None:
    both = proverbs()
    spec = pofx.NgramSpec(order=4)
    strict = fit_filter([*both["en"], *both["fr"]], both, spec=spec, reject=0.1, quantiles=(0, 1))
    found = filter_texts(strict, ["aGVsbG8gd29ybGQ=", *both["en"]])
    assert (found[0].language, found[0].reason) == (None, "language")
    assert math.isnan(found[0].quantile)
    held_out = [j for j in found[1:] if not j.fitted]
    assert 0 < sum(j.language is None for j in held_out) <= 0.2 * len(held_out)


def test_a_doubtful_language_is_rejected() -> None:
    both = proverbs()
    sure = fit_filter(
        [*both["en"], *both["fr"]], both, spec=pofx.NgramSpec(order=4), reject=0, least_posterior=0.999999
    )
    found = filter_texts(sure, ["a"])[0]
    assert (found.posterior < 0.999999, found.language, found.reason) == (True, None, "language")


def test_bounds_by_labels() -> None:
    both = proverbs()
    english = both["en"]
    bad = ["xqz vvk jjw qqp", "0x3f 0x5e 0x77", "AAAA//8= BBBB", "zxzxzx"]
    found = fit_filter(english, spec=pofx.NgramSpec(order=4), good=english[:40], bad=bad, reject=0)
    assert found.languages == ("all",)
    assert (found.bounds[0].kept, found.bounds[0].kept_bad) == (40, 0)
    assert found.quantiles is None
    assert all(j.reason == "improbable" for j in filter_texts(found, bad))


def test_refusals() -> None:
    both = proverbs()
    with pytest.raises(BadSource, match="language 'fr': expected documents of the sample in this language"):
        fit_filter(both["en"], both)
    with pytest.raises(BadSource, match="language 'x': expected documents to fit its model to"):
        fit_filter(both["en"], {"x": [" "]})
    with pytest.raises(BadValue, match="good: expected good and bad documents, or neither"):
        fit_filter(both["en"], good=["a"])
    with pytest.raises(BadValue, match="normaliser: expected one of pofx, ccnet, none"):
        fit_filter(both["en"], normaliser="x")
    with pytest.raises(BadValue, match="sample: expected an iterable of texts, got one text"):
        fit_filter("one text")
    with pytest.raises(BadValue, match="texts: expected a list of texts, got one text"):
        filter_texts(toy_filter(), "one text")
    with pytest.raises(BadSource, match="hold more documents out"):
        fit_filter(both["en"], held_out=0)
