"""Answers that are large for their request: bounded before anything is read, and written beside the event loop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pofx.server.completions import endpoint, stream
from served_models import Asked


@pytest.mark.parametrize("written", [{"echo": True}, {"return_token_ids": True}, {"prompt_logprobs": 0}])
def test_a_prompt_counts_once_for_each_copy_that_is_written(served: Asked, written: dict[str, Any]) -> None:
    asked = {"model": "bytes", "prompt": [97] * 1000, "max_tokens": 0, "n": 100}
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


@pytest.mark.parametrize("streams", [False, True])
def test_an_answer_is_written_beside_the_event_loop(
    served: Asked, monkeypatch: pytest.MonkeyPatch, streams: bool
) -> None:
    on_the_loop: list[bool] = []
    module: Any = stream if streams else endpoint
    own = module.json_bytes

    def json_bytes(record: Any) -> bytes:
        on_the_loop.append(asyncio._get_running_loop() is not None)
        return bytes(own(record))

    monkeypatch.setattr(module, "json_bytes", json_bytes)
    asked = {"model": "bytes", "prompt": "the", "max_tokens": 3, "echo": True, "stream": streams}
    assert served.post("/v1/completions", **asked).status_code == 200
    assert on_the_loop
    assert not any(on_the_loop)
