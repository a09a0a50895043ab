"""`/tokenize`, `/detokenize`, `/tokenizer_info` and `/v1/models`."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from served_models import Asked


def ids(served: Asked, text: str, **body: Any) -> list[int]:
    answer = served.post("/tokenize", prompt=text, **body).json()
    assert answer["count"] == len(answer["tokens"])
    return list(answer["tokens"])


@pytest.mark.parametrize(("name", "begin", "end"), [("bytes", "<s>", "</s>"), ("hf-x0", "<bos>", "<eos>")])
def test_the_name_of_a_special_token_alone_is_its_id(served: Asked, name: str, begin: str, end: str) -> None:
    lm = served.models[name]
    info = served.http.get("/tokenizer_info", params={"model": name}).json()
    assert (info["bos_token"], info["eos_token"]) == (begin, end)
    first = lm.begin.id
    assert ids(served, begin, model=name, add_special_tokens=False) == [first] == [info["bos_token_id"]]
    assert ids(served, end, model=name) == [lm.vocab.end] == [info["eos_token_id"]]
    # Within a longer text such a name is text.
    longer = ids(served, begin + "a", model=name, add_special_tokens=False)
    assert longer == list(lm.vocab.encode(begin + "a"))
    assert first not in longer


def test_x0_stands_first_unless_it_is_left_out(served: Asked) -> None:
    x0 = served.models["bytes"].begin.id
    assert ids(served, "ab", model="bytes") == [x0, 97, 98]
    assert ids(served, "ab", model="bytes", add_special_tokens=False) == [97, 98]
    assert ids(served, "", model="bytes") == [x0]
    assert ids(served, "ab", model="no-x0") == [97, 98]


def test_a_model_without_x0_names_none(served: Asked) -> None:
    info = served.http.get("/tokenizer_info", params={"model": "hf"}).json()
    assert info["bos_token"] is info["bos_token_id"] is info["pad_token"] is info["chat_template"] is None
    assert info["eos_token"] == "<eos>"
    assert served.http.get("/tokenizer_info", params={"model": "no-eos"}).json()["eos_token"] is None


def test_tokens_are_named_as_in_completions(served: Asked) -> None:
    answer = served.post("/tokenize", model="bytes", prompt="aé", return_token_strs=True).json()
    assert answer["token_strs"] == ["<s>", "a", r"bytes:\xc3", r"bytes:\xa9"]
    assert answer["max_model_len"] is None
    assert served.post("/tokenize", model="windows", prompt="a").json()["max_model_len"] == 8


def test_detokenize_is_the_text_of_ids(served: Asked) -> None:
    lm = served.models["bytes"]

    def text(*tokens: int, name: str = "bytes") -> tuple[str, bytes]:
        answer = served.post("/detokenize", model=name, tokens=tokens).json()
        return answer["prompt"], base64.b64decode(answer["bytes"])

    assert text(lm.begin.id, 97, 0xC3, 0xA9, lm.vocab.end) == ("aé", "aé".encode())
    assert text(97, 0xC3) == ("a�", b"a\xc3")
    assert text() == ("", b"")
    assert text(*served.models["words"].vocab.encode("the cat"), name="words")[0] == "the cat"
    for wrong in ([-1], [258], [97, 10**6]):
        answer = served.post("/detokenize", model="bytes", tokens=wrong)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_token")


def test_the_models_are_listed_and_found_by_name(served: Asked) -> None:
    listed = served.http.get("/v1/models").json()
    assert [m["id"] for m in listed["data"]] == list(served.models)
    assert served.http.get("/v1/models/hf-x0").json() == listed["data"][6]
    assert served.http.get("/v1/models/nobody").status_code == 404
