"""Addresses of one model, and addresses under which x0 stands before ids."""

from __future__ import annotations

import pytest

from served_models import Asked

ECHO = {"echo": True, "logprobs": 1, "max_tokens": 1, "temperature": 0}


def test_each_model_has_an_address_of_its_own(served: Asked) -> None:
    for name in ("hf", "words", "bytes"):
        at = f"/models/{name}"
        named = served.http.get("/tokenizer_info", params={"model": name}).json()
        assert served.http.get(f"{at}/tokenizer_info").json() == named
        text = "the cat" if name == "words" else "the"
        tokens = served.post(f"{at}/tokenize", prompt=text).json()["tokens"]
        assert tokens == served.post("/tokenize", model=name, prompt=text).json()["tokens"]
        assert served.post(f"{at}/detokenize", tokens=tokens).json()["prompt"] == text
        got = served.post(f"{at}/v1/completions", prompt=text, **ECHO).json()
        assert got["choices"] == served.ok(model=name, prompt=text, **ECHO)["choices"]
        assert got["model"] == name
    other = served.post("/models/hf/v1/completions", model="bytes", prompt="a")
    assert (other.status_code, other.json()["error"]["code"]) == (404, "model_not_found")
    assert served.http.get("/models/nobody/tokenizer_info").status_code == 404
    assert [m["id"] for m in served.http.get("/models/hf/v1/models").json()["data"]] == ["hf"]
    assert served.http.get("/models/nobody/v1/models").status_code == 404
    assert served.http.get("/models/hf/v1/models/hf").status_code == 200
    assert served.http.get("/models/hf/v1/models/bytes").status_code == 404


@pytest.mark.parametrize("name", ["hf-x0", "bytes", "hf"])
def test_x0_can_stand_before_ids_that_do_not_begin_with_it(served: Asked, name: str) -> None:
    lm = served.models[name]
    ids = [int(i) for i in lm.vocab.encode("the at")]
    at = f"/models/{name}/begin/v1/completions"
    (got,) = served.post(at, prompt=[ids], return_token_ids=True, **ECHO).json()["choices"]
    own = served.choice(model=name, prompt="the at", return_token_ids=True, **ECHO)
    assert got["logprobs"]["token_logprobs"] == own["logprobs"]["token_logprobs"]
    assert len(got["logprobs"]["tokens"]) == len(ids) + 1
    if lm.begin.id is not None:
        x0 = lm.begin.id
        assert got["prompt_token_ids"] == own["prompt_token_ids"] == [x0, *ids]
        (kept,) = served.post(at, prompt=[x0, *ids], **ECHO).json()["choices"]
        assert kept["logprobs"]["token_logprobs"] == [None, *got["logprobs"]["token_logprobs"]]
    first = served.post("/begin/v1/completions", prompt=[[97]], **ECHO).json()["choices"][0]["logprobs"]
    assert first["token_logprobs"][0] is not None  # the first model: bytes
