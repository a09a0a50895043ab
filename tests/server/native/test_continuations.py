"""Trees of continuations, warped next-token distributions, and streamed draws."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from native_requests import answered, refused

import pofx
from pofx.server.description.continuation_answers import SampleEvent
from pofx.transforms.warp import warp
from served import Server, until


@pytest.fixture(scope="module")
def loaded(model_files: dict[str, str]) -> Callable[[str], Any]:
    return cache(lambda name: pofx.load(model_files[name]))


@pytest.mark.parametrize("name", ["own", "mle", "tiny"])
def test_children_and_the_rest_are_their_parent(server: Server, name: str) -> None:
    found = answered(server, "/v1/tree", model=name, given="the", k=3, depth=3)
    nodes = found["nodes"]
    grown = [n for n in nodes if "rest_nats" in n]
    assert len(grown) > 3
    for n, node in enumerate(nodes):
        if "rest_nats" in node:
            parts = [c["path_nats"] for c in nodes if c["parent"] == n] + [node["rest_nats"]]
            total = math.fsum(math.exp(x) for x in parts if x is not None)
            assert total == pytest.approx(math.exp(node["path_nats"]), rel=1e-9)


def test_the_root_has_the_outcomes_of_next(server: Server) -> None:
    top = answered(server, "/v1/next", model="tiny", given="the", unit="token", k=4)
    nodes = answered(server, "/v1/tree", model="tiny", given="the", k=4, depth=1)["nodes"]
    for node, outcome in zip(nodes[1:], top["top"], strict=True):
        assert (node["id"], node["token"], node["bytes"]) == (
            outcome["id"],
            outcome["token"],
            outcome["bytes"],
        )
        assert node["path_nats"] == pytest.approx(outcome["nats"], abs=1e-6)
    assert nodes[0]["rest_nats"] == pytest.approx(top["rest"]["nats"], abs=1e-6)
    below = answered(server, "/v1/tree", model="tiny", given="the", after=[nodes[1]["id"]], k=2, depth=1)
    assert below["after"] == [nodes[1]["id"]] and len(below["nodes"]) == 3


def test_trees_that_are_refused(server: Server) -> None:
    assert refused(server, "/v1/tree", 413, k=32, depth=9)["param"] == "depth"
    assert refused(server, "/v1/tree", 400, after=[9999])["param"] == "after.0"
    assert refused(server, "/v1/tree", 422, model="open")["code"] == "no-bos"
    assert refused(server, "/v1/tree", 400, model="own", after=[256])["code"] == "bad-value"


def test_the_warped_distribution_is_that_of_python(server: Server, loaded: Callable[[str], Any]) -> None:
    how: dict[str, Any] = {"temperature": 0.5, "top_k": 4}
    found = answered(server, "/v1/next", model="own", given="the ", unit="token", k=6, **how)
    law = pofx.next(warp(loaded("own"), **how), "the ", 6, "token")
    assert found["warp"] == "temperature 0.5, top-k 4"
    assert [a["id"] for a in found["top"]] == [a.id for a in law.top]
    for a, b in zip(found["top"], law.top, strict=True):
        assert a["p"] == pytest.approx(math.exp(b.logp), abs=1e-12)
    assert sum(a["p"] > 0 for a in found["top"]) == 4
    assert "warp" not in answered(server, "/v1/next", model="own", given="the ", unit="token")


def events(server: Server, **asked: Any) -> list[dict[str, Any]]:
    got = server.post("/v1/sample", {**asked, "stream": True})
    assert got.status_code == 200 and got.headers["content-type"].startswith("text/event-stream")
    lines = got.text.split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    out = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    for event in out:
        SampleEvent.model_validate(event)
    return out


@pytest.mark.parametrize("given", ["", "the ca"])
@pytest.mark.parametrize("how", [{}, {"temperature": 0.7}, {"top_k": 200}])
@pytest.mark.parametrize("name", ["own", "tiny", "words"])
def test_streamed_draws_are_the_draws(server: Server, name: str, how: dict[str, Any], given: str) -> None:
    given = given if name != "words" else given and "the cat"
    if given and "top_k" in how:
        how = {"top_p": 1.0}  # a cut may leave the prefix no probability
    asked = {"model": name, "n": 7, "given": given, "max_tokens": 6, "seed": 3, **how}
    whole = answered(server, "/v1/sample", **asked)["draws"]
    found = events(server, **asked)
    assert sorted(e["index"] for e in found) == list(range(7))
    for event in found:
        draw, expected = event["draw"], whole[event["index"]]
        for field in ("nats", "model_nats"):
            assert draw.pop(field, None) == pytest.approx(expected.pop(field, None), abs=1e-5)
        assert draw == expected
    ends = [len(e["draw"]["ids"]) + e["draw"]["ended"] for e in found]
    assert ends == sorted(ends) or (name, given) == ("tiny", "the ca")  # a spelled prefix has two groups


def test_a_stream_that_fails_at_once_has_a_status(server: Server) -> None:
    assert refused(server, "/v1/sample", 422, model="open", stream=True)["code"] == "no-bos"
    assert refused(server, "/v1/sample", 413, n=128, max_tokens=65536, stream=True)["param"] == "max_tokens"
    assert events(server, n=0) == []


def test_a_client_that_goes_away_ends_the_draws(server: Server) -> None:
    import httpx2 as httpx

    asked = {"model": "tiny", "n": 64, "max_tokens": 1000, "seed": 1, "stream": True}
    with httpx.stream("POST", f"{server.url}/v1/sample", json=asked, trust_env=False, timeout=60) as got:
        assert got.status_code == 200
        lines = got.iter_lines()  # closes the connection once nobody holds it
        assert next(lines).startswith("data: {")
        assert server.metric("pofx_running") >= 1
    until(server.idle, "an idle server")
