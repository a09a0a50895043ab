"""The native endpoints: errors of texts, of requests and of models."""

from __future__ import annotations

from typing import Any

import pytest
from native_requests import answered, refused

from served import Server


def test_an_error_of_a_text_stands_at_its_place(server: Server) -> None:
    found = answered(server, "/v1/score", model="words", texts=["the cat", "zebra", "dog"])["scores"]
    assert [r["text"] for r in found] == ["the cat", "zebra", "dog"]
    assert ["error" in r for r in found] == [False, True, False]
    assert (found[1]["error"]["code"], found[1]["error"]["type"]) == ("not-text", "invalid_request_error")
    assert "zebra" in found[1]["error"]["message"] and found[1]["error"]["advice"]
    alone = answered(server, "/v1/score", model="words", texts=["dog"])["scores"]
    assert alone == found[2:]
    found = answered(server, "/v1/words", model="words", texts=["zebra", "the cat"])["texts"]
    assert ["error" in r for r in found] == [True, False]
    found = answered(server, "/v1/posterior", models=["words", "words"], texts=["zebra", "the cat"])[
        "posteriors"
    ]
    assert ["error" in r for r in found] == [True, False]


def test_a_join_that_is_refused_is_an_error_of_its_text(server: Server) -> None:
    found = answered(server, "/v1/score", model="tiny", texts=["he", "z"], given="t", boundary="error")
    assert ["error" in r for r in found["scores"]] == [True, False]
    assert found["scores"][0]["error"]["param"] == "boundary"


def test_log_0_is_null_and_impossible(server: Server) -> None:
    top = answered(server, "/v1/next", model="words", given="the", unit="token", k=5)
    assert top["rest"]["nats"] is None and top["rest"]["impossible"] is True and top["rest"]["p"] == 0
    (s,) = answered(server, "/v1/score", model="mle", texts=["zz"], top=2)["scores"]
    assert (s["total_nats"], s["bits_per_byte"], s["impossible"]) == (None, None, True)
    assert (s["tokens"][0]["nats"], s["tokens"][0]["impossible"]) == (None, True)
    (w,) = answered(server, "/v1/words", model="mle", texts=["zz"])["texts"]
    assert (w["words"][0]["surprisal_nats"], w["words"][0]["impossible"]) == (None, True)
    (p,) = answered(server, "/v1/posterior", models=["own", "mle"], texts=["zz"])["posteriors"]
    assert p["models"][1]["evidence_nats"] is None and p["models"][1]["impossible"] is True
    assert p["models"][0]["posterior"] == 1 and "impossible" not in p
    (s,) = answered(server, "/v1/score", model="mle", texts=["a"], given="zz")["scores"]
    assert s["error"]["code"] == "impossible"
    assert refused(server, "/v1/next", 422, model="mle", given="zz")["code"] == "impossible"


@pytest.mark.parametrize("path", ["/v1/score", "/v1/words", "/v1/next", "/v1/sample"])
def test_a_model_without_x0_answers_after_a_prefix_only(server: Server, path: str) -> None:
    fields: dict[str, Any] = {"texts": ["cat"]} if path in ("/v1/score", "/v1/words") else {}
    for name in ("open", "plain"):
        error = refused(server, path, 422, model=name, **fields)
        assert error["code"] == "no-bos" and "condition on a text that you name" in error["advice"]
        assert server.models[name] not in error["message"]
    answered(server, path, model="open", given="the ", **fields)


def test_models_that_cannot_be_compared(server: Server) -> None:
    error = refused(server, "/v1/posterior", 422, models=["own", "open"], texts=["a"])
    assert (error["code"], error["param"]) == ("no-bos", "models") and "open" in error["message"]
    error = refused(server, "/v1/posterior", 400, models=["own", "tiny"], weights=[1, 2, 3], texts=["a"])
    assert error["param"] == "weights"
    error = refused(server, "/v1/posterior", 400, models=["own", "tiny"], weights=[0, 0], texts=["a"])
    assert error["param"] == "weights"
    assert refused(server, "/v1/posterior", 404, models=["own", "none"], texts=["a"])["param"] == "model"


def test_no_audit_is_made_and_the_kept_verdict_is_told(server: Server) -> None:
    found = answered(server, "/v1/audit", model="plain")
    assert (found["verdict"], found["kept"], found["begin"]["known"]) == (None, None, "none")
    assert found["advice"] == [
        "audit the served model where its files are, and keep the verdict: pofx audit -m MODEL --pin"
    ]
    found = answered(server, "/v1/audit", model="own")
    assert (found["advice"], found["begin"]["known"], found["end"]) == ([], "trained", 256)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("/v1/score", {"texts": "the cat"}, "texts"),
    ("/v1/score", {"texts": []}, "texts"),
    ("/v1/score", {"texts": ["a"], "text": "a"}, "text"),
    ("/v1/score", {"texts": ["a"], "given": ["a", "b"]}, "given"),
    ("/v1/score", {"texts": ["a"], "top": 101}, "top"),
    ("/v1/words", {"texts": ["a"], "pattern": "a+"}, "pattern"),
    ("/v1/next", {"k": 0}, "k"),
    ("/v1/sample", {"temperature": 0}, "temperature"),
    ("/v1/sample", {"seed": -1}, "seed"),
    ("/v1/posterior", {"texts": ["a"], "models": ["own"]}, "models"),
]


@pytest.mark.parametrize(("path", "fields", "param"), WRONG)
def test_a_wrong_field_is_named(server: Server, path: str, fields: dict[str, Any], param: str) -> None:
    assert refused(server, path, 400, **fields)["param"] == param


def test_work_is_bounded_before_it_begins(server: Server) -> None:
    error = refused(server, "/v1/sample", 413, n=128, max_tokens=65536)
    assert (error["code"], error["param"]) == ("too_many_tokens", "max_tokens")
    assert refused(server, "/v1/score", 413, texts=["a" * 10_000], top=100)["param"] == "top"
    long = ["a" * 10_000]
    error = refused(server, "/v1/score", 413, model="tiny", given="t", texts=long, boundary="exact")
    assert error["code"] == "too_many_tokens"
    error = refused(server, "/v1/posterior", 413, models=["own", "tiny"], texts=long, beam=16)
    assert error["code"] == "too_many_tokens"
    assert refused(server, "/v1/score", 413, texts=["a" * (1 << 17)])["code"] == "too_many_tokens"
    assert refused(server, "/v1/score", 413, texts=["a" * (1 << 20), "b"])["code"] == "too_large"
