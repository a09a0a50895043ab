"""`pofx serve --normalize`: the answer is for the text as the tokenizer leaves it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tiny_checkpoints as tiny
from served import serving


@pytest.mark.thorough  # a server of its own
def test_an_upper_case_text_gets_the_numbers_of_the_lower_case_one(tmp_path: Path) -> None:
    home = tiny.write(tmp_path / "lower", adds="bos")
    lower = {**tiny.tokenizer("bos"), "normalizer": {"type": "Lowercase"}}
    (home / "tokenizer.json").write_text(json.dumps(lower))
    with serving(tmp_path, {"lower": str(home)}, "--normalize") as server:
        scores = server.post("/v1/score", {"texts": ["The Cat", "the cat"]}).json()["scores"]
        assert scores[0]["total_nats"] == scores[1]["total_nats"]
        assert scores[0]["terms"]["normalized"]
        asked = {
            "prompt": ["The Cat", "the cat"],
            "echo": True,
            "logprobs": 1,
            "max_tokens": 1,
            "temperature": 0,
        }
        choices = server.post("/v1/completions", asked).json()["choices"]
        assert choices[0]["logprobs"]["token_logprobs"] == choices[1]["logprobs"]["token_logprobs"]
        found = [server.post("/tokenize", {"prompt": t}).json()["tokens"] for t in ("The Cat", "the cat")]
        assert found[0] == found[1]
