"""The contract of completions over many requests: lengths, nulls, order, keys and offsets."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from served_models import Asked

TEXTS = st.text(st.sampled_from("the cat é—😀"), max_size=6)
IDS = st.lists(st.integers(0, 255), max_size=6)
PROMPTS = st.one_of(
    TEXTS, IDS, st.lists(TEXTS, min_size=1, max_size=3), st.lists(IDS, min_size=1, max_size=3)
)


def count(prompt: Any) -> int:
    return 1 if isinstance(prompt, str) or not prompt or isinstance(prompt[0], int) else len(prompt)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    prompt=PROMPTS,
    model=st.sampled_from(["bytes", "no-eos"]),
    front=st.booleans(),
    echo=st.booleans(),
    logprobs=st.sampled_from([None, 0, 1, 5]),
    max_tokens=st.integers(0, 4),
    n=st.integers(1, 3),
    temperature=st.sampled_from([0, 0.7, 1.5]),
    stop=st.sampled_from([None, "e", ["t ", "\u2014"]]),
)
def test_lengths_nulls_order_keys_and_offsets(
    served: Asked, prompt: Any, model: str, front: bool, n: int, max_tokens: int, **body: Any
) -> None:
    x0 = served.models[model].vocab.size
    nested = isinstance(prompt, list) and bool(prompt) and isinstance(prompt[0], list)
    front = front and nested
    if front:
        prompt = [[x0, *p] for p in prompt]
    answer = served.ok(
        model=model, prompt=prompt, n=n, max_tokens=max_tokens, seed=0, return_token_ids=True, **body
    )
    choices = answer["choices"]
    assert [c["index"] for c in choices] == list(range(count(prompt) * n))
    assert answer["usage"]["completion_tokens"] == sum(len(c["token_ids"]) for c in choices)
    for c in choices:
        one = prompt[c["index"] // n] if count(prompt) > 1 or nested else prompt
        if one and isinstance(one[0], int):
            assert c["prompt_token_ids"] == one
        hidden = not front and c["prompt_token_ids"][0] == x0
        shown = c["prompt_token_ids"][hidden:] if body["echo"] else []
        assert len(c["token_ids"]) <= max_tokens
        assert len(c["token_ids"]) >= min(1, max_tokens)
        if body["logprobs"] is None:
            assert c["logprobs"] is None
            continue
        logs = c["logprobs"]
        sizes = {len(v) for v in logs.values()}
        assert sizes == {len(shown) + len(c["token_ids"])}
        nulls = [k for k, v in enumerate(logs["token_logprobs"]) if v is None]
        assert nulls == ([0] if shown and not hidden else [])
        assert [k for k, v in enumerate(logs["top_logprobs"]) if v is None] == nulls
        for token, number, top in zip(logs["tokens"], logs["token_logprobs"], logs["top_logprobs"]):
            if number is not None:
                assert top[token] == number
                assert 1 <= len(top) <= max(1, body["logprobs"]) + 1
        assert logs["text_offset"] == sorted(logs["text_offset"])
        assert all(0 <= at <= len(c["text"]) for at in logs["text_offset"])
        for at, token in zip(logs["text_offset"], logs["tokens"]):
            if not token.startswith(("bytes:", "<", "token_id:")) and at < len(c["text"]):
                assert c["text"][at : at + 1] == token
