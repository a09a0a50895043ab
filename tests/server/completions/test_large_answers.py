"""Answers that are large for their request: bounded before anything is read, and written beside the event loop."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from pofx.server.description.endpoint import _written
from pofx.server.description.endpoints import ENDPOINTS, Endpoint
from pofx.server.incoming import wire
from pofx.server.tokens.strings import TokenStrings
from served_models import Asked


@pytest.mark.parametrize("written", [{"echo": True}, {"return_token_ids": True}, {"prompt_logprobs": 0}])
def test_a_prompt_counts_once_for_each_copy_that_is_written(served: Asked, written: dict[str, Any]) -> None:
    asked = {"model": "bytes", "prompt": [97] * 2000, "max_tokens": 0, "n": 100}
    assert served.refused(**asked, **written) == (413, "too_many_tokens", "prompt")
    served.ok(**asked)


@pytest.mark.parametrize("stream", [False, True])
def test_likeliest_tokens_of_an_answer_are_bounded(served: Asked, stream: bool) -> None:
    asked = {"model": "bytes", "prompt": [97] * 6000, "echo": True, "max_tokens": 0, "stream": stream}
    assert served.refused(**asked, logprobs=100) == (413, "too_large", "logprobs")
    drawn = {"model": "bytes", "prompt": "the", "max_tokens": 6000, "stream": stream}
    assert served.refused(**drawn, logprobs=100) == (413, "too_large", "logprobs")


def test_likeliest_tokens_of_prompts_are_bounded(served: Asked) -> None:
    asked = {"model": "bytes", "prompt": [97] * 6000, "max_tokens": 0}
    assert served.refused(**asked, prompt_logprobs=100) == (413, "too_large", "prompt_logprobs")
    served.ok(**{**asked, "prompt": [97] * 60}, prompt_logprobs=100)


@pytest.fixture
def written_on_the_loop(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each piece of JSON that the server writes, whether the event loop stands still meanwhile."""
    found: list[bool] = []

    class Noting:
        OPT_SERIALIZE_NUMPY = orjson.OPT_SERIALIZE_NUMPY

        @staticmethod
        def dumps(record: Any, **options: Any) -> bytes:
            found.append(asyncio._get_running_loop() is not None)
            return orjson.dumps(record, **options)

    monkeypatch.setattr(wire, "orjson", Noting)
    return found


def test_a_stream_is_written_beside_the_event_loop(served: Asked, written_on_the_loop: list[bool]) -> None:
    asked = {"model": "bytes", "prompt": "the", "max_tokens": 3, "echo": True, "stream": True}
    assert served.post("/v1/completions", **asked).status_code == 200
    assert written_on_the_loop
    assert not any(written_on_the_loop)


# Their answers are short, whatever is asked.
SHORT = {
    "/v1/models",
    "/v1/models/{name}",
    "/v1/classifiers",
    "/tokenizer_info",
    "/health",
    "/ready",
    "/metrics",
}
# These ask what `served` has not, a classifier and a file of Parquet; tests of their own look at their answers.
ELSEWHERE = {"/v1/classify", "/v1/rows"}
# Their examples are so short that they are answered at once.
LONG = {
    "/tokenize": {"model": "bytes", "prompt": "the" * 100},
    "/detokenize": {"model": "bytes", "tokens": [97] * 300},
}


@pytest.mark.parametrize(
    "endpoint", [e for e in ENDPOINTS if e.path not in SHORT | ELSEWHERE], ids=lambda e: e.path
)
def test_an_answer_is_written_beside_the_event_loop(
    served: Asked, written_on_the_loop: list[bool], endpoint: Endpoint
) -> None:
    _written.cache_clear()
    if endpoint.request is None:
        got = served.http.get(endpoint.path)
    else:
        # Two models share the vocabulary of bytes, so that a posterior of them needs no search.
        posterior = {"texts": ["the"], "models": ["bytes", "windows"]}
        asked = LONG.get(endpoint.path, endpoint.example)
        got = served.post(endpoint.path, **(posterior if asked is None else asked))
    assert got.status_code == 200, got.text
    assert written_on_the_loop
    assert not any(written_on_the_loop)


def test_strings_of_tokens_are_made_beside_the_event_loop(
    served: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_the_loop: list[bool] = []
    plain = TokenStrings.plain

    def noted(self: TokenStrings, i: int, first: bool = False) -> str:
        on_the_loop.append(asyncio._get_running_loop() is not None)
        return plain(self, i, first)

    monkeypatch.setattr(TokenStrings, "plain", noted)
    answer = served.post("/tokenize", prompt="the" * 100, return_token_strs=True).json()
    assert answer["token_strs"] == ["<s>", *"the" * 100]
    assert on_the_loop == [False] * 301
