"""Next tokens: their probabilities sum to 1, and are the first factors of scores."""

from __future__ import annotations

import math

import pytest

import pofx
from small_models import BYTES, MLE


@pytest.mark.parametrize("k", [1, 3, 256, 257, 10_000])
def test_next_sums_to_one(k: int) -> None:
    law = pofx.next(BYTES, "the ", k)
    mass = sum(math.exp(a.logp) for a in law.top) + math.exp(law.rest)
    assert mass == pytest.approx(1, abs=1e-12)
    assert len(law.top) + law.n_rest == BYTES.vocab.size
    assert [a.logp for a in law.top] == sorted((a.logp for a in law.top), reverse=True)
    assert (law.rest == -math.inf) == (law.n_rest == 0)


def test_next_is_the_first_factor() -> None:
    first = pofx.next(BYTES, k=257)
    by_id = {a.id: a for a in first.top}
    assert by_id[ord("t")].logp == pytest.approx(pofx.prefix_log_prob(BYTES, "t"))
    assert by_id[256].bytes is None
    assert by_id[256].shown == "EOS"
    assert first.terms.first
    assert not first.terms.end
    assert not pofx.next(BYTES, "t").terms.first
    assert pofx.next(MLE, "the ", 257).top[-1].logp == -math.inf
