"""The life of a server: start, refusal to start, signals, death and return."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

import pofx
from pofx import BadValue
from pofx.classification.files import load_joint
from pofx.classification.joint import Joint
from pofx.cli.main import main
from pofx.server.app import make_app
from pofx.server.classifiers.golden import golden_text
from pofx.server.running.golden import Golden, golden
from served import SIGNALS, Server, connected, http, read_answer, serving, until
from small_models import ngram

ECHO = {"prompt": "the cat", "max_tokens": 0, "echo": True, "logprobs": 5}
LONG = {"model": "endless", "prompt": "the", "max_tokens": 1000, "seed": 1}


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """`pofx serve …` in this process, which must end at once; answers its one line on standard error."""
    monkeypatch.delenv("POFX_API_KEY", raising=False)

    def call(*options: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["serve", *options])
        out, err = capsys.readouterr()
        assert (ended.value.code, out, err.count("\n")) == (2, "", 1)
        return err

    return call


def test_the_banner_names_the_address_the_models_and_two_commands(server: Server) -> None:
    assert f"pofx serves at {server.url}\n" in server.banner
    assert "  own: x0 is <s> (trained)\n" in server.banner
    assert "  plain: no x0, so p(x1) is not known; lm-eval puts EOS (<eos>) before" in server.banner
    assert "lm_eval run --model local-completions --model_args model=own," in server.banner
    curl = next(line for line in server.banner.splitlines() if line.startswith("curl --json"))
    body = json.loads(re.findall("'(.*)'", curl)[0])
    assert server.post("/v1/completions", body).status_code == 200
    assert curl.endswith(f"{server.url}/v1/completions")


def test_health_ready_and_metrics(server: Server) -> None:
    assert server.get("/health").json() == {"status": "ok"}
    ready = server.get("/ready").json()
    assert ready["status"] == "ready"
    assert set(ready["models"]) == set(server.models)
    assert max(ready["models"].values()) <= 1e-5
    assert ready["classifiers"] == {"languages": 0.0}
    before = server.metric('pofx_requests_total{path="other",status="404"}')
    tokens = server.metric("pofx_tokens_total")
    server.get("/secret-of-a-client")
    server.post("/v1/completions", {**ECHO, "model": "own"})
    text = server.get("/metrics").text
    assert server.metric('pofx_requests_total{path="other",status="404"}') == before + 1
    assert server.metric("pofx_tokens_total") >= tokens + 7
    assert server.metric("pofx_batch_calls_count") > 0
    assert server.metric("pofx_pass_seconds_count") > 0
    assert "secret" not in text
    assert server.get("/metrics").headers["content-type"].startswith("text/plain; version=")


def test_a_model_that_says_something_else_is_not_ready(fitted_files: dict[str, str]) -> None:
    lm = pofx.load(fitted_files["own"])
    found = golden(lm)
    assert found.distance(lm) == 0
    assert np.isfinite(found.logp).all()
    assert Golden(found.path, found.skip, found.logp + 1e-3).distance(lm) == pytest.approx(1e-3)
    assert Golden(found.path, found.skip, found.logp - np.inf).distance(lm) == np.inf


def test_a_classifier_that_says_something_else_is_not_ready(classifier_file: str) -> None:
    joint = load_joint(classifier_file)[0]
    found = golden_text(joint)
    assert found.text
    assert found.distance(joint) == 0
    assert np.isfinite(found.said).any()
    assert found.distance(replace(joint, lms=joint.lms[::-1])) > 1e-3
    assert found.distance(joint.with_prior({"en": 9, "fr": 1})) > 1e-3
    app = make_app([("own", ngram())], classifiers=[("languages", joint, None)])
    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert client.get("/ready").json()["classifiers"] == {"languages": 0.0}
        app.state.golden_texts["languages"] = replace(found, said=found.said + 1e-3 * found.tokens)
        answer = client.get("/ready")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
        assert "classifier languages, by 0.001" in answer.json()["error"]["message"]


@pytest.mark.parametrize("given", [None, ("the ", "a ")])
def test_a_golden_text_is_made_of_any_classifier(given: tuple[str, str] | None) -> None:
    lms = (ngram(),) if given else (ngram(), ngram(order=2, smoothing="mle"))
    joint = Joint(("x", "y"), lms, given, np.array([1.0, 1.0]), np.log([0.5, 0.5]))
    found = golden_text(joint)
    assert found.distance(joint) == 0
    assert np.isfinite(found.said).any()


def test_an_address_that_other_machines_reach_needs_a_key(refused: Callable[..., str]) -> None:
    said = refused("--host", "0.0.0.0", "--port", "0")  # noqa: S104
    assert said.startswith("pofx: error: --host: expected an address of this machine alone, or a key")
    assert "--api-key" in said


def test_a_port_in_use_is_refused_before_a_model_is_loaded(
    server: Server, refused: Callable[..., str]
) -> None:
    said = refused("-m", "/none/at/all", "--port", str(server.address[1]))
    assert said.startswith(
        f"pofx: error: --port: expected a free port, got {server.address[1]} (a port that is in use)"
    )


def test_a_port_that_is_taken_while_models_are_loaded_is_refused() -> None:
    from pofx.server.app import make_app
    from pofx.server.running.lifecycle import bind, run
    from pofx.server.settings import Settings

    with bind("127.0.0.1", 0) as at, bind("127.0.0.1", at.getsockname()[1]) as other:
        other.listen()
        with pytest.raises(BadValue, match="port: expected a free port"):
            run(make_app([("own", ngram())]), at, Settings(), lambda _: pytest.fail("it listens"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-m", "/none/at/all", "--port", "0"], "/none/at/all"),
        (["--host", "192.0.2.1", "--api-key", "k"], "--host: expected an address of this machine"),
        (["--host", "not a host", "--api-key", "k"], "--host: expected an address of this machine"),
        (["--origin", "*"], "--origin: expected an origin"),
        (["-m", "a/x.gguf", "-m", "b/x.gguf"], "-m: expected models of different names, got two named 'x'"),
    ],
)
def test_a_start_that_is_refused_says_so_in_one_line(
    options: list[str], words: str, refused: Callable[..., str]
) -> None:
    assert words in refused(*options)


@pytest.mark.parametrize("name", ["SIGTERM", pytest.param("SIGINT", marks=pytest.mark.thorough)])
def test_a_signal_finishes_what_is_admitted_and_ends_with_0(
    tmp_path: Path, fitted_files: dict[str, str], name: str
) -> None:
    with (
        serving(tmp_path, fitted_files) as s,
        connected(s) as admitted,
        connected(s) as idle,
        connected(s) as part,
    ):
        stream = admitted.makefile("rb")
        admitted.sendall(http("POST", "/v1/completions", json.dumps(LONG).encode()))
        part.sendall(http("POST", "/v1/completions", b"{", "Content-Length: 9"))
        until(lambda: s.metric("pofx_running") == 1, "work")
        s.signal(SIGNALS[name])
        refused = read_answer(part.makefile("rb"))
        assert refused is not None
        assert (refused.status, refused.error["code"]) == (503, "shutting_down")
        answer = read_answer(stream)
        assert answer is not None
        assert answer.status == 200
        assert json.loads(answer.body)["usage"]["completion_tokens"] > 0
        assert s.ended() == 0
        assert idle.recv(1) == b""
        with pytest.raises(OSError, match=r"refused|reset"):
            socket.create_connection(s.address, 1).close()
        assert s.errors.read_text() == ""


@pytest.mark.thorough
def test_work_that_takes_longer_than_the_grace_is_stopped(
    tmp_path: Path, fitted_files: dict[str, str]
) -> None:
    with serving(tmp_path, fitted_files, "--grace", "0") as s, connected(s) as admitted:
        admitted.sendall(http("POST", "/v1/completions", json.dumps({**LONG, "max_tokens": 60_000}).encode()))
        until(lambda: s.metric("pofx_running") == 1, "work")
        s.signal(SIGNALS["SIGTERM"])
        answer = read_answer(admitted.makefile("rb"))
        assert answer is not None
        assert (answer.status, answer.error["code"]) == (503, "shutting_down")
        assert answer.headers["retry-after"] == "5"
        assert s.ended() == 0
        assert s.errors.read_text() == ""


@pytest.mark.thorough
def test_a_server_that_was_killed_returns_with_the_same_numbers(
    tmp_path: Path, fitted_files: dict[str, str]
) -> None:
    def numbers(s: Server) -> Any:
        return [
            s.post("/v1/completions", {**ECHO, "model": name}).json()["choices"] for name in ("own", "open")
        ]

    with serving(tmp_path, fitted_files, "--deterministic") as s:
        first, port = numbers(s), s.address[1]
        with connected(s) as admitted:
            admitted.sendall(http("POST", "/v1/completions", json.dumps(LONG).encode()))
            until(lambda: s.metric("pofx_running") == 1, "work")
            s.process.kill()
            assert s.ended() == -9
    with serving(tmp_path, fitted_files, "--deterministic", port=port) as s:
        assert s.address[1] == port
        assert s.get("/ready").status_code == 200
        assert numbers(s) == first


@pytest.mark.thorough
def test_a_server_with_a_key(tmp_path: Path, fitted_files: dict[str, str]) -> None:
    with serving(tmp_path, fitted_files, "--host", "0.0.0.0", POFX_API_KEY="sesame") as s:  # noqa: S104
        assert "sesame" not in s.banner
        assert "http://127.0.0.1:" in s.banner
        assert "auth_token=$POFX_API_KEY" in s.banner
        assert s.get("/v1/models").status_code == 401
        assert s.get("/v1/models", headers={"Authorization": "Bearer sesame"}).status_code == 200
        assert s.get("/health").status_code == 200


def test_the_name_of_a_model_is_the_last_part_of_its_path(tmp_path: Path) -> None:
    from pofx.cli.options.model import ModelOptions
    from pofx.cli.options.named_models import named_models

    (tmp_path / "a=b").mkdir()
    given = [
        "x/y.gguf",
        "z.arpa.gz",
        "org/name@main",
        "smollm2",
        "big=x/y.gguf",
        str(tmp_path / "a=b"),
        "d/",
        "e.v2",
        "c, d?.gguf",
    ]
    found = named_models(given, ModelOptions("", "<s>", None, "float32", None, None, None))
    assert [name for name, _ in found] == ["y", "z", "name", "smollm2", "big", "a-b", "d", "e.v2", "c-d"]
    assert [o.name for _, o in found] == [*given[:4], "x/y.gguf", *given[5:]]
    assert {o.begin for _, o in found} == {"<s>"}


@pytest.mark.thorough
def test_begin_of_several_models_is_for_those_without_x0(tmp_path: Path, model_files: dict[str, str]) -> None:
    models = {name: model_files[name] for name in ("own", "plain")}
    with serving(tmp_path, models, "--begin", "<eos>") as several:
        found = [
            several.post("/v1/score", {"model": m, "texts": ["the"]}).json()["scores"][0] for m in models
        ]
    assert [s["terms"]["begin_known"] for s in found] == ["trained", "assumed"]
