"""The contract of `/v1/completions` that evaluation clients rely on, rule by rule, beside pofx's own numbers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import pofx
from served_models import Asked

ECHO: dict[str, Any] = {"echo": True, "logprobs": 1, "max_tokens": 1, "temperature": 0}
ALL = ["bytes", "no-eos", "words", "windows", "hf-x0"]
TEXTS = {"words": "the cat sat"}


def begin(lm: pofx.LM) -> int:
    return lm.vocab.size if lm.begin.id is None else lm.begin.id


@pytest.mark.parametrize("name", ALL)
def test_a_text_stands_after_an_x0_that_is_not_echoed(served: Asked, name: str) -> None:
    lm, text = served.models[name], TEXTS.get(name, "the")
    got = served.choice(model=name, prompt=text, **ECHO)["logprobs"]
    (score,) = pofx.score(lm, [text])
    own = score.logp[: len(lm.vocab.encode(text))]
    assert got["token_logprobs"][:-1] == pytest.approx(own, abs=1e-9)
    assert len(got["tokens"]) == len(own) + 1


@pytest.mark.parametrize("name", ALL)
def test_ids_are_verbatim_and_the_first_has_no_number(served: Asked, name: str) -> None:
    lm = served.models[name]
    ids = lm.vocab.encode(TEXTS.get(name, "the"))
    text = served.choice(model=name, prompt=TEXTS.get(name, "the"), **ECHO)["logprobs"]
    got = served.choice(model=name, prompt=[begin(lm), *ids], return_token_ids=True, **ECHO)
    assert got["prompt_token_ids"] == [begin(lm), *ids]
    assert len(got["logprobs"]["tokens"]) == len(ids) + 2
    assert got["logprobs"]["token_logprobs"][0] is got["logprobs"]["top_logprobs"][0] is None
    assert got["logprobs"]["token_logprobs"][1:] == pytest.approx(text["token_logprobs"], abs=1e-9)
    bare = served.choice(model=name, prompt=ids, return_token_ids=True, **ECHO)
    assert bare["prompt_token_ids"] == ids
    assert bare["logprobs"]["token_logprobs"][0] is None


@pytest.mark.parametrize("name", ["hf", "no-x0"])
def test_a_model_without_x0_answers_ids_and_texts_with_a_null_first(served: Asked, name: str) -> None:
    lm = served.models[name]
    ids = [int(i) for i in lm.vocab.encode("the at")]
    own = lm.forward([[*ids, 0]], skip=1).logp[0][:-1]
    for prompt in (ids, "the at"):
        got = served.choice(model=name, prompt=prompt, **ECHO)["logprobs"]
        assert got["token_logprobs"][0] is got["top_logprobs"][0] is None
        assert got["token_logprobs"][1:-1] == pytest.approx(own, abs=1e-9)
    for empty in ("", [], [[]], [[ids[0]], []]):
        assert served.refused(model=name, prompt=empty)[:2] == (422, "no-bos")


def test_without_special_tokens_no_x0_stands_before_a_text(served: Asked) -> None:
    lm = served.models["hf-x0"]
    ids = lm.vocab.encode("the at")
    by_ids = served.choice(model="hf-x0", prompt=ids, **ECHO)
    got = served.choice(model="hf-x0", prompt="the at", add_special_tokens=False, **ECHO)
    assert got["logprobs"]["token_logprobs"] == by_ids["logprobs"]["token_logprobs"]
    assert served.refused(model="hf-x0", prompt="", add_special_tokens=False)[0] == 422


@pytest.mark.parametrize("name", ["bytes", "hf-x0"])
@pytest.mark.parametrize("empty", ["", [], [[]], None])
def test_an_empty_prompt_is_continued_from_x0(served: Asked, name: str, empty: object) -> None:
    got = served.choice(model=name, prompt=empty, **ECHO)["logprobs"]
    first = served.models[name].start(1).logp[0].max()
    assert got["token_logprobs"] == pytest.approx([first], abs=1e-6)
    none = served.choice(model=name, prompt=empty, echo=True, logprobs=1, max_tokens=0)
    assert (none["text"], none["logprobs"]["tokens"]) == ("", [])


def test_the_generated_token_stays_where_it_is_eos(served: Asked) -> None:
    lm = served.models["words"]
    ids = lm.vocab.encode("the cat sat")
    got = served.choice(model="words", prompt=[[begin(lm), *ids]], **ECHO)
    assert got["logprobs"]["tokens"][-1] == "</s>"
    assert len(got["logprobs"]["token_logprobs"]) == len(ids) + 2
    assert (got["text"], got["finish_reason"]) == ("the cat sat", "stop")
    (whole,) = pofx.score(lm, ["the cat sat"])
    assert sum(got["logprobs"]["token_logprobs"][1:]) == pytest.approx(whole.total, abs=1e-9)


def test_prompts_of_unlike_lengths_are_answered_in_order_by_one_pass(
    served: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pofx.server.batching.shared import SharedLM

    calls: list[int] = []
    own = SharedLM.forward

    def forward(self: SharedLM, paths: Any, *args: Any) -> Any:
        calls.append(len(paths))
        return own(self, paths, *args)

    monkeypatch.setattr(SharedLM, "forward", forward)
    texts = ["the cat", "a", "dogs", "the dog and the cat", ""]
    answer = served.ok(model="bytes", prompt=texts, **ECHO)
    assert calls == [5]
    assert [c["index"] for c in answer["choices"]] == list(range(5))
    for text, choice in zip(texts, answer["choices"]):
        alone = served.choice(model="bytes", prompt=text, **ECHO)
        assert choice["text"].startswith(text)
        assert choice == {**alone, "index": choice["index"]}
    lists = served.ok(model="bytes", prompt=[list(t.encode()) for t in texts], **ECHO)["choices"]
    assert [c["logprobs"]["token_logprobs"][1:] for c in lists[:4]] == [
        c["logprobs"]["token_logprobs"][1:] for c in answer["choices"][:4]
    ]


@pytest.mark.parametrize("name", [*ALL, "alike", "hf", "no-x0"])
def test_the_double_of_a_token_is_that_of_its_key(served: Asked, name: str) -> None:
    body = {**ECHO, "logprobs": 3, "max_tokens": 4}
    got = served.choice(model=name, prompt=TEXTS.get(name, "a—" if name == "alike" else "at"), **body)[
        "logprobs"
    ]
    for token, number, top in zip(got["tokens"], got["token_logprobs"], got["top_logprobs"]):
        if number is not None:
            assert top[token] == number
            assert 1 <= len(top) <= 4
            assert max(top.values()) == next(iter(top.values()))


def test_numbers_are_the_doubles_of_the_model(served: Asked) -> None:
    lm = served.models["bytes"]
    text = served.http.post("/v1/completions", json={"model": "bytes", "prompt": "the cat", **ECHO}).text
    got = json.loads(text)["choices"][0]["logprobs"]["token_logprobs"]
    assert got[:-1] == lm.forward([lm.vocab.encode("the cat")]).logp[0].tolist()


def test_ids_that_print_alike_have_keys_of_their_own(served: Asked) -> None:
    got = served.choice(model="alike", prompt=[0, 1, 2, 3, 4], echo=True, logprobs=6, max_tokens=0)[
        "logprobs"
    ]
    assert got["tokens"][0] == "a"
    assert set(got["top_logprobs"][1]) == {"a", "token_id:1", r"bytes:\xe2\x80", r"bytes:\x94", "token_id:4"}
    # The token is named by its key, so that nobody takes one id for the other.
    assert got["tokens"][1] == "token_id:1"
    assert got["text_offset"] == [0, 1, 2, 2, 3]


def test_what_has_no_probability_is_a_number_that_json_has(served: Asked) -> None:
    got = served.choice(model="alike", prompt=[0, 5], echo=True, logprobs=2, max_tokens=0)["logprobs"]
    assert got["token_logprobs"][1] == got["top_logprobs"][1]["</s>"] == -9999.0
    assert max(got["top_logprobs"][1].values()) == pytest.approx(np.log(0.3))


def test_offsets_count_code_points_and_a_token_inside_a_character_has_that_of_the_character(
    served: Asked,
) -> None:
    text = "é—😀x"
    got = served.choice(model="bytes", prompt=text, echo=True, logprobs=1, max_tokens=0)
    assert got["text"] == text
    assert got["logprobs"]["text_offset"] == [0, 0, 1, 1, 1, 2, 2, 2, 2, 3]
    assert got["logprobs"]["tokens"][1] == r"bytes:\xa9"
    assert got["logprobs"]["tokens"][-1] == "x"


def test_a_token_is_its_raw_text(served: Asked) -> None:
    got = served.choice(model="hf-x0", prompt="the at\n", echo=True, logprobs=1, max_tokens=0)
    assert "".join(got["logprobs"]["tokens"]) == got["text"] == "the at\n"
    words = served.choice(model="words", prompt="the cat", echo=True, logprobs=1, max_tokens=0)["logprobs"]
    assert (words["tokens"], words["text_offset"]) == (["the", " cat"], [0, 3])


def test_what_exceeds_the_context_is_refused_and_never_cut(served: Asked) -> None:
    lm = served.models["windows"]
    assert lm.context == 8
    fits = served.choice(model="windows", prompt="abcdefg", **ECHO)
    assert len(fits["logprobs"]["tokens"]) == 8
    code = (400, "context_length_exceeded", "prompt")
    assert served.refused(model="windows", prompt="abcdefg", max_tokens=2) == code
    assert served.refused(model="windows", prompt="abcdefgh", max_tokens=1) == code
    assert served.refused(model="hf", prompt=[5] * 65, max_tokens=1) == code
    assert served.refused(model="hf", prompt=[[5], [5] * 64], max_tokens=2) == code
    # The default asks for as many as there is room for.
    assert len(served.choice(model="windows", prompt="abcd", logprobs=0, seed=0)["logprobs"]["tokens"]) <= 4


def test_ids_outside_the_vocabulary_are_refused(served: Asked) -> None:
    lm = served.models["bytes"]
    for ids in ([lm.vocab.size + 1], [-1], [97, 10**12], [[97], [98, 258]], [97, begin(lm)], [begin(lm)] * 2):
        assert served.refused(model="bytes", prompt=ids)[:2] == (400, "invalid_token")
    # x0 that is a token of the vocabulary may stand anywhere.
    x0 = begin(served.models["hf-x0"])
    got = served.choice(model="hf-x0", prompt=[x0, x0, 70, x0], **ECHO)["logprobs"]
    own = served.models["hf-x0"].bare()
    assert own is not None
    assert got["token_logprobs"][1:-1] == pytest.approx(
        own.forward([[x0, x0, 70, x0]], skip=1).logp[0], abs=1e-9
    )
