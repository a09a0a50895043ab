"""What needs an application in this process: bits of `--deterministic`, kept verdicts, and admission."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
import pytest

import pofx
from pofx.files.pins import Pin, pin
from pofx.queries.scoring.score import score
from pofx.server.app import make_app
from pofx.server.description.model_answers import AuditAnswer
from pofx.server.description.text_answers import ScoreAnswer
from pofx.server.native.models.audit import audit_record
from pofx.server.settings import Settings
from pofx.server.table import ServedModel
from pofx.server.work import Seat
from pofx.transforms.deterministic import deterministic
from small_models import ngram

TEXTS = ["the cat sat", "a cat", "the dog sat on the cat", "é"]


def asked(app: Any, bodies: list[dict[str, Any]], path: str = "/v1/score") -> list[dict[str, Any]]:
    """The answers to requests that are sent together."""
    out: list[Any] = [None] * len(bodies)

    async def main() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:

            async def ask(k: int) -> None:
                out[k] = (await client.post(path, json=bodies[k])).json()

            async with anyio.create_task_group() as group:
                for k in range(len(bodies)):
                    group.start_soon(ask, k)

    anyio.run(main)
    return out


def test_deterministic_numbers_have_the_bits_of_python(model_files: dict[str, str]) -> None:
    lm = pofx.load(model_files["tiny"])
    app = make_app([("tiny", lm)], Settings(deterministic=True))
    expected = score(deterministic(lm), TEXTS)
    found = asked(app, [{"texts": [text]} for text in TEXTS] + [{"texts": TEXTS}])
    for answer, records in zip(found, [[s] for s in expected] + [expected], strict=True):
        for got, s in zip(answer["scores"], records, strict=True):
            assert got["total_nats"] == s.total
            assert [t["nats"] for t in got["tokens"]] == s.logp.tolist()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POFX_DATA", str(tmp_path))
    return tmp_path


def test_the_kept_verdict_is_told(home: Path) -> None:
    served = ServedModel("own", ngram().with_info(fingerprint="abc"), None)
    assert audit_record(served)["kept"] is None
    pin("abc", Pin(257, 256, "joint", "it sums to one", "<s>", "2026-01-02", "0.1.0"))
    found = audit_record(served)
    AuditAnswer.model_validate(found)
    assert (found["verdict"], found["reason"], found["advice"]) == ("joint", "it sums to one", [])
    assert found["kept"]["date"] == "2026-01-02"


def test_a_damaged_verdict_is_none_and_names_no_file(home: Path) -> None:
    served = ServedModel("own", ngram().with_info(fingerprint="abc"), None)
    pin("abc", Pin(257, 256, "joint", "it sums to one")).write_text("{}")
    found = audit_record(served)
    assert found["verdict"] is None and "damaged" in found["advice"][0]
    assert str(home) not in str(found)


def test_each_request_is_admitted_by_its_tokens() -> None:
    app = make_app([("own", ngram()), ("other", ngram(order=2))], Settings(queue=1000))
    desk = app.state.desk
    seen: list[int] = []
    resize = Seat.resize

    def noted(seat: Seat, tokens: int) -> None:
        seen.append(tokens)
        resize(seat, tokens)

    bodies: list[tuple[str, dict[str, Any], int]] = [
        ("/v1/score", {"texts": ["abc", "de"], "given": "x"}, 9),
        ("/v1/words", {"texts": ["abc"]}, 5),
        ("/v1/next", {"given": "abc", "unit": "token"}, 4),
        ("/v1/next", {"given": "abc", "unit": "word", "calls": 7}, 11),
        ("/v1/sample", {"n": 2, "max_tokens": 5, "given": "a"}, 12),
        ("/v1/posterior", {"texts": ["abc"]}, 8),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Seat, "resize", noted)
        for path, body, tokens in bodies:
            seen.clear()
            assert "error" not in asked(app, [body], path)[0]
            assert seen == [tokens], path
    with desk.admitted(1000):
        for path, body, _ in bodies:
            assert asked(app, [body], path)[0]["error"]["code"] == "queue_full"
    assert desk.waiting == 0


def test_a_model_without_eos_has_no_totals() -> None:
    models = [("endless", ngram(end=False)), ("own", ngram()), ("other", ngram(order=2))]
    app = make_app(models)
    found = asked(app, [{"texts": ["cat"]}])[0]
    ScoreAnswer.model_validate(found)
    (s,) = found["scores"]
    assert s["total_nats"] is None and s["prefix_nats"] < 0 and "impossible" not in s
    assert [t["token"] for t in s["tokens"]] == list("cat") and s["terms"]["end"] is False
    assert asked(app, [{"texts": ["cat"]}], "/v1/words")[0]["error"]["code"] == "no-eos"
    (draw,) = asked(app, [{"n": 1, "max_tokens": 3}], "/v1/sample")[0]["draws"]
    assert (draw["ended"], draw["tokens"]) == (False, 3)
    mixed = {"models": ["own", "endless"], "texts": ["cat"]}
    assert "EOS" in asked(app, [mixed], "/v1/posterior")[0]["error"]["message"]
    assert asked(app, [{"texts": ["cat"]}], "/v1/posterior")[0]["models"] == ["own", "other"]
