"""How texts are cut into words."""

from __future__ import annotations

import pytest

from pofx.queries.segmentation.characters import graphemes
from pofx.queries.segmentation.word_rule import WordRule


def cut(text: str, **how: object) -> list[str]:
    return [text[lo:hi] for lo, hi in WordRule(**how).of(text).spans]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("punctuation", "expected"),
    [
        ("attached", ["“Don't”,", "said", "well-known", "Zoë…", "—"]),
        ("own", ["“", "Don't", "”", ",", "said", "well-known", "Zoë", "…", "—"]),
        ("boundary", ["Don't", "said", "well-known", "Zoë"]),
    ],
)
def test_punctuation(punctuation: str, expected: list[str]) -> None:
    assert cut(" “Don't”,\u00a0said\nwell-known Zoë… — ", punctuation=punctuation) == expected


def test_graphemes_are_what_a_reader_sees_and_spaces_are_none() -> None:
    assert cut("日本 語e\u0301👨\u200d👩\u200d👧🇫🇷\r\n각", how="graphemes") == [
        "日", "本", "語", "e\u0301", "👨\u200d👩\u200d👧", "🇫🇷", "각",
    ]  # fmt: skip
    assert len(graphemes("")) == 0
