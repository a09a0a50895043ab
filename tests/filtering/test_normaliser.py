"""The normaliser of a filter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pofx.errors import BadValue, NotText
from pofx.filtering.normaliser import NORMALISERS, Normaliser


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("none", " a\r\n b ", " a\r\n b "),
        ("pofx", " a \t b\r\n  c \n\n\n\n d\u0301 ", "a b\nc\n\nd\u0301"),
        ("pofx", "e\u0301", "\u00e9"),
        ("ccnet", "  Ça va… „2019“ — 5% ", 'ca va... "0000"  -  0%'),
        ("ccnet", "Tab\there", "tabhere"),
    ],
)
def test_texts(name: str, text: str, expected: str) -> None:
    assert NORMALISERS[name](text) == expected


@given(st.text(alphabet=" \t\r\nae\u0301\u00c91", max_size=20))
def test_a_text_that_is_normal_stays(text: str) -> None:
    clean = NORMALISERS["pofx"]
    assert clean(clean(text)) == clean(text)


def test_what_is_refused() -> None:
    with pytest.raises(BadValue, match="form: expected one of"):
        Normaliser(form="NFX")  # type: ignore[arg-type]
    with pytest.raises(BadValue, match="lower: expected True or False, got 1"):
        Normaliser(lower=1)  # type: ignore[arg-type]
    with pytest.raises(NotText):
        NORMALISERS["none"]("\ud800")
