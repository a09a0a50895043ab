"""Long texts are cut into blocks where a cut changes no id."""

from __future__ import annotations

import random

import pytest

from pofx.vocab import blocks
from pofx.vocab.tokenizer import safe_cuts
from tiny_tokenizers import VOCABS, every, refusal


@every
def test_long_texts_are_cut_where_it_makes_no_difference(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(0)
    vocab = VOCABS[name]
    words = [
        "the",
        "cat",
        "that's",
        "12345",
        "\n",
        "<think>",
        "</s>",
        "été",
        "a\u2581b",
        "naïve,",
        " ",
        "mat.",
    ]
    words = [
        w for w in words if not refusal(vocab.encode, f"x {w} x") and not refusal(vocab.encode, f"x{w}x")
    ]
    texts = [
        " ".join(rng.choices(words, k=800)).strip(),
        "the" + "".join(rng.choices(words, k=800)) + "the",
        "the" * 1000,
    ]
    whole = [vocab.encode(t) for t in texts]
    places: list[int | None] = []
    last = safe_cuts.SafeCuts.last

    def watched(self: safe_cuts.SafeCuts, text: str, low: int, high: int) -> int | None:
        places.append(last(self, text, low, high))
        return places[-1]

    monkeypatch.setattr(blocks, "BLOCK", 200)
    monkeypatch.setattr(safe_cuts.SafeCuts, "last", watched)
    assert [vocab.encode(t) for t in texts] == whole
    assert len([p for p in places if p is not None]) >= 10
    assert None in places  # "the the the" has none


def test_a_cut_that_makes_a_difference_is_none() -> None:
    tokens = [b"a", b".", b"b", b" ", b"a.", b"\xc3", b"\xa9 "]

    def encode(text: str) -> list[int]:
        ids = [ord(c) for c in text]
        return [-1, *ids[1:]] if text.startswith(" b") else ids  # as a regular expression with look-after

    exact = safe_cuts.SafeCuts(tokens, encode, byte_level=False)
    assert exact.last("a a a a", 0, 6) == 5
    assert exact.last("a b a b", 0, 6) == 3  # not before " b"
    assert exact.last("a.a.a.a", 0, 6) is None  # "a." is a token
    assert exact.last("b.b.b.b", 0, 6) == 5
    assert exact.last("é é é é", 0, 6) == 5
    assert (
        safe_cuts.SafeCuts(tokens, encode, byte_level=True).last("é é é é", 0, 6) is None
    )  # parts of both in one
