"""Characters that no token spells alone, and the space that a tokenizer puts before a text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from served_models import Asked, asked
from small_models import ngram

CAT = "🐈"  # four bytes, each a token


def events(client: Asked, max_tokens: int) -> list[dict[str, Any]]:
    answer = client.post(
        "/v1/completions", prompt=CAT, max_tokens=max_tokens, temperature=0, logprobs=1, stream=True
    )
    lines = answer.text.split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: "))["choices"][0] for line in lines[:-2]]


def test_an_emoji_that_is_cut_across_tokens_comes_whole() -> None:
    with asked({"cats": ngram([CAT * 8], order=6)}) as client:
        found = events(client, 8)
        assert [e["text"] for e in found] == [CAT, CAT]
        assert [e["logprobs"]["text_offset"] for e in found] == [[0] * 4, [1] * 4]
        assert found[0]["logprobs"]["tokens"] == [rf"bytes:\x{b:02x}" for b in CAT.encode()]


@pytest.mark.parametrize("rest", [1, 2, 3])
def test_an_emoji_that_is_cut_at_the_end_is_one_replacement(rest: int) -> None:
    with asked({"cats": ngram([CAT * 8], order=6)}) as client:
        found = events(client, 4 + rest)
        assert [e["text"] for e in found] == [CAT, "�"]
        assert found[-1]["logprobs"]["text_offset"] == [1] * rest
        assert found[-1]["finish_reason"] == "length"


@pytest.mark.parametrize("text", ["the at", " the", "  at", "é at", "q"])
def test_the_space_before_a_text_is_not_echoed_and_a_space_of_the_text_is(served: Asked, text: str) -> None:
    vocab = served.models["hf-x0"].vocab
    ids = [int(i) for i in vocab.encode(text)]
    assert vocab.token_bytes[ids[0]].startswith(b" ")  # type: ignore[union-attr]
    for prompt in (text, ids):
        choice = served.choice(model="hf-x0", prompt=prompt, max_tokens=0, echo=True, logprobs=1)
        assert choice["text"] == text
        spelled = [len(b"".join(vocab.pieces(ids)[:k]).decode("utf-8", "ignore")) for k in range(len(ids))]
        assert choice["logprobs"]["text_offset"] == spelled
