"""Conditioning on a prefix, twice."""

from __future__ import annotations

import pytest

import pofx
from small_models import TOY
from toy import texts


def test_given_of_given_is_given() -> None:
    once, twice = pofx.given(TOY, "ab"), pofx.given(pofx.given(TOY, "a"), "b")
    for path in texts(TOY.vocab, 2):
        text = TOY.vocab.decode(path)
        assert pofx.log_prob(once, text) == pytest.approx(pofx.log_prob(twice, text), abs=1e-12)
    assert pofx.given(TOY, "") is TOY
    assert pofx.log_prob(once, "c") == pytest.approx(pofx.log_prob(TOY, "c", given="ab"))
