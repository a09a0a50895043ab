"""The names of the entries of a `Scored`, and its bits per byte."""

from __future__ import annotations

import math

import pytest

import pofx
from small_models import BYTES, NO_END


def test_a_name_for_each_entry() -> None:
    scored = pofx.score(BYTES, ["a c"])[0]
    assert scored.token_strings == ["a", "␣", "c", "EOS"]
    assert len(scored.token_strings) == len(scored.logp)
    prefix = pofx.score(NO_END, ["ab"])[0]
    assert len(prefix.token_strings) == len(prefix.logp) == 2


def test_bits_per_byte_count_what_the_total_counts() -> None:
    scored = pofx.score(BYTES, ["a c"])[0]
    assert scored.bits_per_byte == pytest.approx(-scored.total / math.log(2) / 3)
    assert scored.without_end().bits_per_byte == pytest.approx(-scored.prefix_total / math.log(2) / 3)
    assert math.isnan(pofx.score(BYTES, [""])[0].bits_per_byte)
