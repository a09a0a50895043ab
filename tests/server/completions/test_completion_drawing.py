"""Continuations: which distribution is drawn from, which numbers are reported, and where a text ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pofx
from served_models import Asked


def numbers(lm: pofx.LM, prompt: str, ids: list[int]) -> list[float]:
    before = lm.vocab.encode(prompt)
    return list(lm.forward([[*before, *ids]], skip=len(before)).logp[0])


def test_sixteen_tokens_unless_more_are_asked_for(served: Asked) -> None:
    for asked, length in ((None, 16), (3, 3), (40, 40)):
        got = served.choice(model="no-eos", prompt="the", seed=1, max_tokens=asked, return_token_ids=True)
        assert len(got["token_ids"]) == length
        assert (got["finish_reason"], got["logprobs"]) == ("length", None)
    nothing = served.choice(model="no-eos", prompt="the", max_tokens=0)
    assert (nothing["text"], nothing["finish_reason"], nothing["logprobs"]) == ("", "length", None)


@pytest.mark.parametrize("greedy", [{"temperature": 0}, {"top_p": 0}, {"top_k": 1}])
@pytest.mark.parametrize("name", ["no-eos", "hf-x0"])
def test_at_temperature_zero_each_token_is_the_likeliest(
    served: Asked, name: str, greedy: dict[str, Any]
) -> None:
    lm = served.models[name]
    got = served.choice(model=name, prompt="the", max_tokens=6, logprobs=1, return_token_ids=True, **greedy)
    state = lm.extend(lm.start(1), [lm.vocab.encode("the")])
    for token, number in zip(got["token_ids"], got["logprobs"]["token_logprobs"]):
        assert token == int(np.argmax(state.logp[0]))
        assert number == pytest.approx(float(state.logp[0, token]), abs=1e-5)
        state = lm.extend(state, [[token]])


@pytest.mark.parametrize(
    "settings", [{}, {"temperature": 0.5}, {"temperature": 1.7, "top_p": 0.8}, {"top_k": 3}]
)
def test_draws_are_of_the_warped_distribution_and_numbers_of_the_model(
    served: Asked, settings: dict[str, Any]
) -> None:
    lm = served.models["bytes"]
    answer = served.ok(
        model="bytes",
        prompt=["the ", "a"],
        n=128,
        max_tokens=1,
        logprobs=0,
        seed=5,
        return_token_ids=True,
        **settings,
    )
    for prompt, choices in (("the ", answer["choices"][:128]), ("a", answer["choices"][128:])):
        warped = pofx.warp(lm, settings.get("temperature", 1.0), settings.get("top_k"), settings.get("top_p"))
        law = np.exp(warped.extend(warped.start(1), [lm.vocab.encode(prompt)]).logp[0])
        drawn = [c["token_ids"][0] for c in choices]
        share = np.bincount(drawn, minlength=lm.vocab.size) / 128
        assert np.all(law[drawn] > 0)
        assert np.abs(np.cumsum(share - law)).max() < 0.15  # Kolmogorov and Smirnov, at 1 %
        for c in choices[:5]:
            own = numbers(lm, prompt, c["token_ids"])
            assert c["logprobs"]["token_logprobs"] == pytest.approx(own, abs=1e-9)


def test_a_seed_gives_the_same_draws_in_any_company(served: Asked) -> None:
    body = {"model": "bytes", "max_tokens": 12, "seed": 7}
    alone = served.choice(prompt="the", **body)["text"]
    several = served.ok(prompt=["a cat", "the", ""], n=3, **body)["choices"]
    assert several[3]["text"] == alone
    assert [c["text"] for c in served.ok(prompt="the", n=5, **body)["choices"]][:3] == [
        c["text"] for c in several[3:6]
    ]
    assert len({c["text"] for c in served.ok(prompt="the", n=20, **body)["choices"]}) > 5
    assert served.choice(prompt="the", **{**body, "seed": -7})["text"] != alone
    unseeded = [served.choice(model="no-eos", prompt="the", max_tokens=30)["text"] for _ in range(2)]
    assert unseeded[0] != unseeded[1]


def test_a_text_ends_before_a_stop_string_wherever_tokens_end(served: Asked) -> None:
    body = {"model": "no-eos", "prompt": "the", "temperature": 0, "max_tokens": 12, "logprobs": 1}
    whole = served.choice(**body)["text"]
    stop = whole[3:6]
    at = whole.index(stop)
    got = served.choice(**body, stop=stop)
    assert (got["text"], got["finish_reason"]) == (whole[:at], "stop")
    # The tokens of the stop string were drawn; they begin where the text ends.
    assert len(got["logprobs"]["tokens"]) == at + 3
    assert got["logprobs"]["text_offset"] == [*range(at), at, at, at]
    several = served.choice(**body, stop=["zzz", "q", whole[8:10], "é", stop])
    assert several["text"] == whole[:at]
    assert served.choice(**body, stop=["zzz"])["text"] == whole
    # A stop string is not looked for in the prompt.
    echoed = served.choice(**body, stop=["the"], echo=True)
    assert echoed["text"].startswith("the")


def test_eos_ends_a_text_and_is_no_part_of_it(served: Asked) -> None:
    got = served.choice(
        model="words", prompt="the cat", temperature=0, max_tokens=9, logprobs=2, return_token_ids=True
    )
    assert (got["text"], got["finish_reason"]) == (" sat", "stop")
    assert got["logprobs"]["tokens"] == [" sat", "</s>"]
    assert got["logprobs"]["text_offset"] == [0, 4]
    assert got["token_ids"][-1] == served.models["words"].vocab.end
    first = served.choice(model="words", prompt="", temperature=0, max_tokens=1, echo=True, logprobs=1)
    assert (first["text"], first["logprobs"]["tokens"]) == ("the", ["the"])


@pytest.mark.parametrize("name", ["bytes", "hf-x0", "hf", "words"])
def test_prompt_logprobs_have_the_shape_of_vllm(served: Asked, name: str) -> None:
    lm, prompt = served.models[name], "the cat" if name == "words" else "the at"
    got = served.choice(
        model=name, prompt=prompt, prompt_logprobs=2, max_tokens=1, temperature=0, return_token_ids=True
    )
    ids = got["prompt_token_ids"]
    echo = served.choice(model=name, prompt=ids, echo=True, logprobs=1, max_tokens=0)["logprobs"]
    assert got["prompt_logprobs"][0] is None
    assert len(got["prompt_logprobs"]) == len(ids)
    for i, number, entry in zip(ids[1:], echo["token_logprobs"][1:], got["prompt_logprobs"][1:]):
        assert entry[str(i)]["logprob"] == pytest.approx(number, abs=1e-9)
        assert next(iter(entry)) == str(i)  # clients take the first entry for the token of the prompt
        ranked = sorted(entry.values(), key=lambda e: e["rank"])
        assert [e["rank"] for e in ranked[:2]] == [1, 2]
        assert ranked[0]["logprob"] == max(e["logprob"] for e in entry.values())
        assert lm.vocab.token_bytes[i] == entry[str(i)]["decoded_token"].encode()
    assert served.refused(model=name, prompt=prompt, prompt_logprobs=1, stream=True)[0] == 400


def test_tokens_can_be_named_by_their_ids(served: Asked) -> None:
    got = served.choice(
        model="bytes", prompt="ab", echo=True, logprobs=1, max_tokens=0, return_tokens_as_token_ids=True
    )
    assert got["logprobs"]["tokens"] == ["token_id:97", "token_id:98"]
    assert all(k.startswith("token_id:") for top in got["logprobs"]["top_logprobs"] for k in top)


def test_an_answer_says_what_it_is(served: Asked) -> None:
    answer = served.ok(model="bytes", prompt="the", n=2, max_tokens=4, seed=1)
    assert answer["object"] == "text_completion"
    assert answer["model"] == "bytes"
    assert isinstance(answer["created"], int)
    assert answer["id"].startswith("cmpl-")
    used = answer["usage"]
    assert used["prompt_tokens"] == 4  # x0 is read, too
    assert used["total_tokens"] == used["prompt_tokens"] + used["completion_tokens"]


def test_unknown_fields_are_ignored_and_named(served: Asked) -> None:
    plain = served.post("/v1/completions", model="bytes", prompt="a", seed=1)
    got = served.post("/v1/completions", model="bytes", prompt="a", seed=1, best_of=4, **{'lö"g': None})
    assert got.json()["choices"] == plain.json()["choices"]
    assert "best_of" in got.headers["warning"]
    assert "warning" not in plain.headers


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"prompt": 1}, "prompt"),
        ({"prompt": [1.5]}, "prompt"),
        ({"prompt": [True]}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt"),
        ({"prompt": [[1], "a"]}, "prompt"),
        ({"prompt": [["a"]]}, "prompt"),
        ({"logprobs": 101}, "logprobs"),
        ({"logprobs": -1}, "logprobs"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": "1"}, "temperature"),
        ({"top_p": 1.1}, "top_p"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"prompt_logprobs": -1}, "prompt_logprobs"),
        ({"echo": "yes"}, "echo"),
        ({"seed": "x"}, "seed"),
    ],
)
def test_values_out_of_range_are_refused_with_their_field(
    served: Asked, body: dict[str, Any], param: str
) -> None:
    assert served.refused(**{"model": "bytes", "prompt": "a", **body}) == (400, "invalid_value", param)


def test_limits_hold_before_anything_is_allocated(served: Asked) -> None:
    assert served.refused(model="bytes", prompt=["a"] * 257)[:2] == (400, "too_many_prompts")
    assert served.refused(model="bytes", prompt=[[97]] * 257)[:2] == (400, "too_many_prompts")
    assert served.refused(model="bytes", prompt="a", max_tokens=10**15)[::2] == (400, "max_tokens")
    assert served.refused(model="bytes", prompt="a", n=128, max_tokens=1100)[1] == "too_many_tokens"
    assert served.refused(model="nobody", prompt="a")[0] == 404
    for stop in ("", [""], ["a"] * 65, 3, [3]):
        assert served.refused(model="bytes", prompt="a", stop=stop)[0] == 400
