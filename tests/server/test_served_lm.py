"""The LM that `connect` makes of a server of pofx has the numbers of the model that is served."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import httpx2 as httpx
import numpy as np
import pytest
import uvicorn

import pofx
from pofx.errors import NoBOS
from pofx.server.app import make_app
from toy import ToyLM, ToyVocab

TEXTS = ["the cat sat", "a cat", "the dog", "dogs sat", "cats and dogs", "the end", "", "é"] * 4
MODELS = [
    ("own", pofx.fit(TEXTS, pofx.NgramSpec(order=3))),
    ("open", pofx.fit(TEXTS, pofx.NgramSpec(order=3, begin=False))),
    ("toy", ToyLM(ToyVocab(4), seed=1)),
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(make_app(MODELS), log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        end = time.monotonic() + 30
        while not server.started:
            assert time.monotonic() < end
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def test_numbers_are_those_of_the_model(url: str) -> None:
    lm, own = pofx.connect(url, "own"), MODELS[0][1]
    assert isinstance(lm, pofx.LM)
    assert (lm.vocab.size, lm.vocab.end, lm.begin, lm.context) == (
        own.vocab.size,
        own.vocab.end,
        own.begin,
        own.context,
    )
    assert lm.vocab.token_bytes == own.vocab.token_bytes
    for text in ("", "the cat", "dogs and cats"):
        assert pofx.log_prob(lm, text) == pytest.approx(pofx.log_prob(own, text), abs=1e-12)
    behind = [pofx.prefix_log_prob(m, "at", given="the c") for m in (lm, own)]
    assert behind[0] == pytest.approx(behind[1], abs=1e-12)
    assert [d.text for d in pofx.sample(lm, 3, seed=1)] == [d.text for d in pofx.sample(own, 3, seed=1)]


def test_a_model_without_x0(url: str) -> None:
    lm = pofx.connect(url, "open")
    with pytest.raises(NoBOS):
        pofx.log_prob(lm, "a")
    far, own = (pofx.log_prob(m, "at", given="the c") for m in (lm, MODELS[1][1]))
    assert far == pytest.approx(own, abs=1e-12)


@pytest.mark.parametrize(
    ("prefixes", "status", "message"),
    [
        ([[5]], 400, "prefixes.0.0: expected an id from 0 to 4, got 5"),
        ([[0, -1]], 400, "prefixes.0.1: expected an id from 0 to 4, got -1"),
        ([], 400, "prefixes: expected"),
        ([["a"]], 400, "prefixes.0.0: expected"),
        ([[]] * 257, 400, "prefixes: expected"),
        ([[0] * 70_000], 413, "prefixes: expected at most 65536 tokens"),
    ],
)
def test_refused_prefixes(url: str, prefixes: list, status: int, message: str) -> None:
    answer = httpx.post(
        url + "/v1/distributions", json={"model": "toy", "prefixes": prefixes}, trust_env=False
    )
    assert answer.status_code == status
    assert answer.json()["error"]["message"].startswith(message)


def test_distributions_on_the_wire(url: str) -> None:
    prefixes = [[], [0], [1, 2], [3]]
    asked = {"model": "toy", "prefixes": prefixes}
    answer = httpx.post(url + "/v1/distributions", json=asked, trust_env=False).json()
    assert answer["model"] == "toy"
    toy = MODELS[2][1]
    assert isinstance(toy, ToyLM)
    assert np.array_equal(answer["distributions"], [toy.row(p) for p in prefixes])
    told = httpx.get(url + "/v1/vocabulary?model=toy", trust_env=False).json()
    assert (told["size"], told["end"], told["tokens"]) == (5, 4, ["YQ==", "Yg==", "Yw==", "ZA==", None])
    assert httpx.get(url + "/v1/vocabulary?model=x", trust_env=False).status_code == 404


def test_log_0_is_null(url: str) -> None:
    from pofx.server.native.distributions import _record

    rows = _record("m", np.array([[0.0, -np.inf]]))["distributions"]
    assert rows == [[0.0, None]]


@pytest.mark.thorough
def test_the_audit_of_a_served_model(url: str) -> None:
    own, far = (pofx.audit(lm, TEXTS[:8]) for lm in (MODELS[0][1], pofx.connect(url, "own")))
    assert far.verdict == own.verdict
    assert {f.check for f in far.findings} - {f.check for f in own.findings} == {"its own sampler"}
    assert [f.check for f in far.findings if f.verdict == "fail"] == [
        f.check for f in own.findings if f.verdict == "fail"
    ]
