"""Mixtures and interpolations: weighted sums, and weights by EM."""

from __future__ import annotations

import math

import numpy as np
import pytest

import pofx
from pofx import NoBOS
from pofx.transforms.interpolate import interpolation_weights
from small_models import TOY, ngram
from toy import ToyLM, texts


def test_a_mixture_is_the_weighted_sum_of_strings() -> None:
    parts = [ToyLM(seed=1), ToyLM(seed=2), ToyLM(seed=3)]
    weights = np.array([0.5, 0.2, 0.3])
    lm = pofx.mixture(parts, 10 * weights)  # type: ignore[arg-type]
    for path in texts(lm.vocab, 4):
        text = lm.vocab.decode(path)
        exact = math.log(sum(w * math.exp(pofx.log_prob(m, text)) for w, m in zip(weights, parts)))
        assert pofx.log_prob(lm, text) == pytest.approx(exact, abs=1e-12)
    equal = pofx.mixture(parts)
    exact = math.log(sum(math.exp(pofx.log_prob(m, "ab")) for m in parts) / 3)
    assert pofx.log_prob(equal, "ab") == pytest.approx(exact, abs=1e-12)


def test_the_regret_of_a_mixture_is_bounded() -> None:
    parts = [ToyLM(seed=1), ToyLM(seed=2)]
    lm = pofx.mixture(parts, [0.9, 0.1])
    for path in texts(lm.vocab, 3):
        text = lm.vocab.decode(path)
        best = max(math.log(w) + pofx.log_prob(m, text) for w, m in zip((0.9, 0.1), parts))
        assert pofx.log_prob(lm, text) >= best - 1e-12


def test_weight_zero_is_absence() -> None:
    assert pofx.log_prob(pofx.mixture([TOY, ToyLM(seed=9)], [1, 0]), "abc") == pytest.approx(
        pofx.log_prob(TOY, "abc")
    )
    assert pofx.log_prob(pofx.interpolate([TOY, ToyLM(seed=9)], [1, 0]), "abc") == pytest.approx(
        pofx.log_prob(TOY, "abc")
    )


def test_weights_by_em_beat_a_grid() -> None:
    parts = [ngram(order=1), ngram(order=2), ngram(order=4)]
    held_out = ["the cats", "a dog sat", "dogs end", "cat"]

    def loss(weights: list[float]) -> float:
        return -sum(s.total for s in pofx.score(pofx.interpolate(parts, weights), held_out))

    found = interpolation_weights(parts, held_out)
    assert found.sum() == pytest.approx(1)
    best = loss(found.tolist())
    grid = [[i / 12, j / 12, (12 - i - j) / 12] for i in range(13) for j in range(13 - i)]
    # EM stops within a billionth of a nat an event of the maximum.
    assert best <= min(map(loss, grid)) + 1e-6
    lm = pofx.interpolate(parts, held_out=held_out)
    assert -sum(s.total for s in pofx.score(lm, held_out)) == pytest.approx(best)


def test_weights_without_x0_leave_the_first_token_out() -> None:
    parts = [ngram(order=2, begin=False), ngram(order=3, begin=False)]
    lm = pofx.interpolate(parts, held_out=["the cat", "a dog", ""])
    assert math.isfinite(pofx.log_prob(lm, "he cat", given="t"))
    with pytest.raises(NoBOS):
        pofx.log_prob(lm, "the cat")
