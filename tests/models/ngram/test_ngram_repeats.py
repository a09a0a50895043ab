"""Positions of a text after one history share one law: as many laws as histories, and the numbers of each position."""

from __future__ import annotations

import numpy as np
import pytest

import pofx
from pofx.lm.model import LM
from pofx.lm.trace import Want

TEXTS = ["abababab", "", "aab", "b" * 40, "zzz", "abab"]


@pytest.mark.parametrize("smoothing", ["kneser-ney", "additive", "mle"])
@pytest.mark.parametrize("begin", [True, False])
def test_one_pass_reports_what_step_by_step_does(
    smoothing: str, begin: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pofx.models.ngram.model.ROWS", 7)
    monkeypatch.setattr("pofx.models.ngram.model.POSITIONS", 50)
    lm = pofx.fit(["abab", "abba", "b" * 9], pofx.NgramSpec(order=3, smoothing=smoothing, begin=begin))
    members = np.zeros((2, lm.vocab.size), dtype=np.bool_)
    members[0, [97, lm.vocab.end]] = members[1, :100] = True
    want = Want(entropy=True, rank=True, top=3, end=True, masses=members)
    skip = 0 if begin else 1
    paths = [[*lm.vocab.encode(t), lm.vocab.end] for t in TEXTS if begin or t]
    fast, slow = lm.forward(paths, want, skip), LM.forward(lm, paths, want, skip)
    for name in ("logp", "entropy", "rank", "top_ids", "top_logp", "end", "masses"):
        for one, other in zip(getattr(fast, name), getattr(slow, name), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12, err_msg=name)


def test_a_text_that_repeats_itself_takes_few_laws(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = pofx.fit(["abab", "abba"], pofx.NgramSpec(order=3))
    compute, asked = lm.backoff.distributions, []  # type: ignore[attr-defined]

    def counted(row: np.ndarray, *others: object) -> np.ndarray:
        asked.append(len(row))
        return compute(row, *others)

    monkeypatch.setattr(lm.backoff, "distributions", counted)  # type: ignore[attr-defined]
    found = pofx.words(lm, ["a" + "\u0301" * 20_000])[0]
    assert sum(asked) < 100  # 40,001 tokens and EOS, after a handful of histories
    assert found.words[0].surprisal == pytest.approx(-pofx.log_prob(lm, found.text), rel=1e-12)
