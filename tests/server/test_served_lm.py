"""The LM that `connect` makes of a server of pofx has the numbers of the model that is served."""

from __future__ import annotations

import base64
from functools import cache

import numpy as np
import pytest

import pofx
from pofx.errors import NoBOS
from pofx.lm.begin import Begin
from pofx.lm.info import Info
from pofx.lm.model import LM
from pofx.lm.trace import Want
from pofx.models.outside.by_prefix import PrefixLM
from pofx.models.outside.completions import Completions
from pofx.models.outside.http_client import ServerClient
from pofx.models.outside.listed_vocab import ListedVocab
from pofx.models.outside.served_scorer import served_scorer
from pofx.models.outside.server_tokens import ServerTokens
from pofx.server.native.models.distributions import _record, whole_distributions
from pofx.vocab.control_tokens import ControlTokens
from served import Server

WITH_X0 = ["own", "words", "tiny"]
TEXTS = ["the cat sat", "a cat", "the dog", "dogs sat", "cats and dogs", "the end", "", "cat"]


@cache
def loaded(path: str) -> LM:
    return pofx.load(path)


@pytest.mark.parametrize("name", WITH_X0)
def test_numbers_are_those_of_the_model(server: Server, name: str) -> None:
    far, own = pofx.connect(server.url, name), loaded(server.models[name])
    assert isinstance(far, LM)
    assert far.vocab.token_bytes == own.vocab.token_bytes
    assert (far.vocab.end, far.begin, far.dtype) == (own.vocab.end, own.begin, own.dtype)
    near = 1e-9 if own.dtype == "float64" else 1e-4
    for text in ("the cat", "the dog"):
        assert pofx.log_prob(far, text) == pytest.approx(pofx.log_prob(own, text), abs=near)
    start = [m.start(1).logp[0] for m in (far, own)]
    assert start[0] == pytest.approx(start[1], abs=near)


@pytest.mark.parametrize("name", WITH_X0)
def test_positions_of_one_path_are_read_together(server: Server, name: str) -> None:
    """A chain of prefixes, a gap in it, an equal prefix, the empty prefix and others give the numbers of each alone."""
    lm = loaded(server.models[name])
    spelled = [i for i, b in enumerate(lm.vocab.token_bytes) if b is not None]
    path = (spelled * 6)[:6]
    prefixes = [path[:4], path[:2], [], path[:3], path[:1], path[:6], [path[1]], path[:2], [path[1], path[0]]]
    found = whole_distributions(lm, prefixes)
    alone = np.concatenate([whole_distributions(lm, [p]) for p in prefixes])
    assert np.allclose(np.exp(found), np.exp(alone), rtol=1e-5, atol=1e-9)
    assert np.array_equal(whole_distributions(lm, prefixes, chained=False)[[2, 4, 6]], alone[[2, 4, 6]])


def test_a_path_is_asked_for_in_few_requests() -> None:
    """The positions of two paths, eight distributions a request: 20 positions are three requests, each of one path."""
    asked: list[list[tuple[int, ...]]] = []

    def laws(prefixes: list[tuple[int, ...]]) -> np.ndarray:
        asked.append(list(prefixes))
        return np.full((len(prefixes), 4), np.log(0.25))

    info = Info(
        ListedVocab([b"a", b"b", b"c", None], 3, ControlTokens({"</s>": 3}), lambda text: []),
        begin=Begin("trained"),
    )
    lm = PrefixLM(laws, info, most=8)
    trace = lm.forward([[0] * 10, [1] * 10], Want(entropy=True))
    assert [len(rows) for rows in asked] == [8, 8, 4]
    assert asked[0] == [(0,) * i for i in range(8)]
    assert trace.entropy is not None
    assert np.concatenate(trace.entropy) == pytest.approx(np.log(4))


def test_draws_are_those_of_the_model(server: Server) -> None:
    far, own = pofx.connect(server.url, "own"), loaded(server.models["own"])
    assert [d.text for d in pofx.sample(far, 3, seed=1)] == [d.text for d in pofx.sample(own, 3, seed=1)]


@pytest.mark.parametrize("name", ["open", "plain", "gguf"])
def test_a_model_without_x0(server: Server, name: str) -> None:
    far, own = pofx.connect(server.url, name), loaded(server.models[name])
    with pytest.raises(NoBOS):
        pofx.log_prob(far, "a")
    assert pofx.prefix_log_prob(far, "at", given="the c") == pytest.approx(
        pofx.prefix_log_prob(own, "at", given="the c"), abs=1e-4
    )


@pytest.mark.parametrize("name", ["own", "plain", "tiny"])
def test_the_sampler_of_the_server(server: Server, name: str) -> None:
    far = pofx.connect(server.url, name)
    drawn, again, other = (far.own_draws([97], 80, seed) for seed in (0, 0, 1))
    assert drawn.shape == (80,)
    assert np.array_equal(drawn, again)
    assert not np.array_equal(drawn, other)
    assert len(set(drawn.tolist())) > 1


@pytest.mark.parametrize(
    ("prefixes", "status", "message"),
    [
        ([[300]], 400, "prefixes.0.0: expected an id from 0 to 256, got 300"),
        ([[0, -1]], 400, "prefixes.0.1: expected an id from 0 to 256, got -1"),
        ([], 400, "prefixes: expected"),
        ([["a"]], 400, "prefixes.0.0: expected"),
        ([[]] * 257, 400, "prefixes: expected"),
        ([[0] * 140_000], 413, "prefixes: expected at most 131072 tokens"),
    ],
)
def test_refused_prefixes(server: Server, prefixes: list, status: int, message: str) -> None:
    answer = server.post("/v1/distributions", {"model": "own", "prefixes": prefixes})
    assert answer.status_code == status
    assert answer.json()["error"]["message"].startswith(message)


def test_distributions_on_the_wire(server: Server) -> None:
    own = loaded(server.models["own"])
    prefixes = [[], [116], [97, 32], [116, 104]]
    answer = server.post("/v1/distributions", {"model": "own", "prefixes": prefixes}).json()
    assert answer["model"] == "own"
    laws = [own.extend(own.start(1), [p]).logp[0] if p else own.start(1).logp[0] for p in prefixes]
    assert np.asarray(answer["distributions"]) == pytest.approx(np.array(laws), abs=1e-12)
    told = server.get("/v1/vocabulary?model=own").json()
    assert (told["size"], told["end"], told["tokens"][97]) == (257, 256, base64.b64encode(b"a").decode())
    assert told["tokens"][256] is None
    assert server.get("/v1/vocabulary?model=x").status_code == 404
    assert server.post("/v1/distributions", {"model": "open", "prefixes": [[]]}).status_code == 422


@pytest.mark.parametrize("name", ["own", "tiny"])
@pytest.mark.parametrize("by_ids", [True, False])
def test_as_a_scorer_the_server_has_the_same_numbers(server: Server, name: str, by_ids: bool) -> None:
    own = loaded(server.models[name])
    with ServerClient(server.url) as client:
        asked = Completions(client, name)
        tokens = ServerTokens(asked)
        tokens.known = by_ids
        scorer = served_scorer(asked, tokens, own.begin)
        for text in ("the cat", "dogs and cats"):
            want = own.forward([own.vocab.encode(text)]).logp[0]
            assert scorer.score([text])[0] == pytest.approx(want, abs=1e-4)
            assert scorer.pieces is not None
            assert b"".join(scorer.pieces(text)) == text.encode()


def test_log_0_is_null() -> None:
    assert _record("m", np.array([[0.0, -np.inf]]))["distributions"] == [[0.0, None]]


@pytest.mark.thorough
def test_the_audit_of_a_served_model(server: Server) -> None:
    own, far = (pofx.audit(m, TEXTS) for m in (loaded(server.models["own"]), pofx.connect(server.url, "own")))
    assert far.verdict == own.verdict
    assert {f.check for f in far.findings} - {f.check for f in own.findings} == {"its own sampler"}
    assert [f.check for f in far.findings if f.verdict == "fail"] == [
        f.check for f in own.findings if f.verdict == "fail"
    ]
