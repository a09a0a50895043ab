"""The native endpoints: each answer is what the Python call and the verb give."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from click.testing import CliRunner
from native_requests import answered

import pofx
from pofx.cli.main import pofx as cli
from pofx.lm.trace import Want
from pofx.queries.scoring.score import score
from pofx.transforms.mixture import mixture
from pofx.transforms.warp import warp
from served import Server

NAMES = ["own", "words", "tiny", "gguf"]
TEXTS = ["the cat", "the dog", ""]


@pytest.fixture(scope="module")
def loaded(model_files: dict[str, str]) -> Callable[[str], Any]:
    return cache(lambda name: pofx.load(model_files[name]))


def given_to(name: str) -> str:
    """The models in GGUF have no x0 here."""
    return "the " if name in ("gguf", "tiny") else ""


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_those_of_python(server: Server, loaded: Callable[[str], Any], name: str) -> None:
    given = given_to(name)
    want = Want(entropy=True, rank=True, top=3)
    found = answered(
        server, "/v1/score", model=name, texts=TEXTS, given=given, entropy=True, rank=True, top=3
    )
    assert found["model"] == name
    for record, s in zip(found["scores"], score(loaded(name), TEXTS, given, want), strict=True):
        assert record["total_nats"] == pytest.approx(s.total, abs=1e-9)
        assert record["prefix_nats"] == pytest.approx(s.prefix_total, abs=1e-9)
        assert record["terms"]["tokens"] == len(s.tokens) and record["terms"]["given_bytes"] == len(given)
        tokens = record["tokens"]
        assert [t["nats"] for t in tokens] == pytest.approx(s.logp.tolist(), abs=1e-9)
        assert [t["id"] for t in tokens] == [*s.tokens.tolist(), s.vocab.end]
        assert s.entropy is not None and s.rank is not None and s.top_ids is not None
        assert [t["entropy_nats"] for t in tokens] == pytest.approx(s.entropy.tolist(), abs=1e-9)
        assert [t["rank"] for t in tokens] == s.rank.tolist()
        assert [[a["id"] for a in t["top"]] for t in tokens] == s.top_ids.tolist()
        spelled = b"".join(base64.b64decode(t["bytes"]) for t in tokens[:-1])
        assert spelled == b"".join(s.vocab.token_bytes[i] for i in s.tokens) and tokens[-1]["bytes"] is None


@pytest.mark.parametrize("boundary", ["auto", "exact", "token"])
def test_a_prefix_for_each_text_and_how_it_joins(
    server: Server, loaded: Callable[[str], Any], boundary: Any
) -> None:
    givens = ["the ca", "the "]
    found = answered(
        server, "/v1/score", model="tiny", texts=["t", "dog"], given=givens, boundary=boundary, prefix=True
    )
    expected = score(loaded("tiny"), ["t", "dog"], givens, boundary=boundary)
    for record, s, given in zip(found["scores"], expected, givens, strict=True):
        assert record["prefix_nats"] == pytest.approx(s.prefix_total, abs=1e-9)
        assert record["total_nats"] is None and "impossible" not in record
        assert (record["given"], record["terms"]["boundary"]) == (given, s.terms.boundary)
        assert len(record["tokens"]) == len(s.tokens)


def test_words_are_those_of_python(server: Server, loaded: Callable[[str], Any]) -> None:
    for name in ("own", "tiny"):
        given = given_to(name)
        found = answered(server, "/v1/words", model=name, texts=TEXTS, given=given, punctuation="own")
        expected = pofx.words(loaded(name), TEXTS, punctuation="own", given=given)
        for record, worded in zip(found["texts"], expected, strict=True):
            assert [w["word"] for w in record["words"]] == [w.text for w in worded.words]
            got = [w["surprisal_nats"] for w in record["words"]]
            assert got == pytest.approx([w.surprisal for w in worded.words], abs=1e-9)
            assert sum(got) == pytest.approx(-record["total_nats"], abs=1e-9)


@pytest.mark.parametrize("unit", ["word", "character", "byte", "token"])
def test_what_comes_next_is_that_of_python(server: Server, loaded: Callable[[str], Any], unit: Any) -> None:
    for name in ("own", "gguf") if unit == "token" else ("own",):
        found = answered(server, "/v1/next", model=name, given="the ", k=4, unit=unit)
        law = pofx.next(loaded(name), "the ", 4, unit)
        assert [a[unit] for a in found["top"]] == [a.shown for a in law.top]
        assert [a["nats"] for a in found["top"]] == pytest.approx([a.logp for a in law.top], abs=1e-9)
        assert [a["bytes"] and base64.b64decode(a["bytes"]) for a in found["top"]] == [
            a.bytes for a in law.top
        ]
        assert found["rest"]["nats"] == pytest.approx(law.rest, abs=1e-9)
        assert found["entropy_interval_nats"][0] == pytest.approx(law.entropy_low, abs=1e-9)
        high = found["entropy_interval_nats"][1]
        assert high is None if law.entropy_high == float("inf") else high == pytest.approx(law.entropy_high)


def test_draws_are_those_of_python(server: Server, loaded: Callable[[str], Any]) -> None:
    warped = {"temperature": 0.7, "top_k": 20, "top_p": 0.9}
    for name, given, how in (("own", "the ca", {}), ("tiny", "the ca", {}), ("tiny", "", warped)):
        asked: dict[str, Any] = {"n": 3, "given": given, "max_tokens": 6, "seed": 5}
        found = answered(server, "/v1/sample", model=name, **asked, **how)
        lm = warp(loaded(name), **how) if how else loaded(name)
        expected = pofx.sample(lm, 3, given, 6, 5)
        for record, draw in zip(found["draws"], expected, strict=True):
            assert (record["ids"], record["ended"]) == (draw.tokens.tolist(), draw.ended)
            assert base64.b64decode(record["bytes"]) == draw.bytes
            assert record["nats"] == pytest.approx(draw.total, abs=1e-9)
            assert record.get("warp", "") == draw.warp


def test_posteriors_are_those_of_python(server: Server, loaded: Callable[[str], Any]) -> None:
    found = answered(
        server, "/v1/posterior", texts=["the cat"], models=["own", "tiny"], weights=[3, 1], beam=4
    )
    (expected,) = pofx.posterior(mixture([loaded("own"), loaded("tiny")], [3, 1], 4), ["the cat"])
    (record,) = found["posteriors"]
    for c, m in enumerate(record["models"]):
        assert m["evidence_nats"] == pytest.approx(expected.evidence[c], abs=1e-9)
        assert m["posterior_nats"] == pytest.approx(expected.posterior[c], abs=1e-9)
        assert m["prior_nats"] == pytest.approx(expected.prior[c], abs=1e-9)
    assert record["best"] == "own"
    whole = answered(server, "/v1/posterior", texts=["the cat"])["models"]
    assert whole == ["own", "mle", "words", "tiny"]  # the others have no x0


VERBS: list[tuple[list[str], str, dict[str, Any], str | None]] = [
    (
        ["score", "--text", "the cat", "--text", "é"],
        "/v1/score",
        {"texts": ["the cat", "é"], "entropy": True, "rank": True},
        "scores",
    ),
    (
        ["words", "--text", "the cat", "--given", "a "],
        "/v1/words",
        {"texts": ["the cat"], "given": "a "},
        "texts",
    ),
    (["next", "--given", "the", "-k", "3"], "/v1/next", {"given": "the", "k": 3}, None),
    (["sample", "-n", "2", "--seed", "3"], "/v1/sample", {"n": 2, "seed": 3}, "draws"),
]


@pytest.mark.parametrize(
    ("verb", "path", "fields", "rows"), VERBS, ids=lambda v: v if isinstance(v, str) else None
)
def test_the_json_is_that_of_the_verb(
    server: Server,
    model_files: dict[str, str],
    verb: list[str],
    path: str,
    fields: dict[str, Any],
    rows: str | None,
) -> None:
    printed = CliRunner().invoke(cli, [*verb, "-m", model_files["own"], "--json"])
    assert printed.exit_code == 0, printed.output
    expected = [json.loads(line) for line in printed.stdout.splitlines()]
    found = answered(server, path, model="own", **fields)
    for record, line in zip([found] if rows is None else found[rows], expected, strict=True):
        line.pop("model", None)
        assert {k: v for k, v in record.items() if k != "model"} == wire(line)


def wire(x: Any) -> Any:
    """What the verb prints as "inf" or "-inf" is null over HTTP, and impossible."""
    if isinstance(x, dict):
        more = (
            {"impossible": True}
            if any(v in ("inf", "-inf") for v in x.values() if isinstance(v, str))
            else {}
        )
        return {k: wire(v) for k, v in x.items()} | more
    if isinstance(x, list):
        return [wire(v) for v in x]
    return None if x in ("inf", "-inf") else x
