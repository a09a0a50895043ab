"""A streamed answer: its events joined are the answer that is not streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from pofx.server.batching import cancellation
from pofx.server.batching.shared import SharedLM
from pofx.server.event_stream import EventStream
from pofx.server.settings import Settings
from served_models import Asked, asked
from small_models import ngram


@pytest.fixture
def served_alone() -> Iterator[Asked]:
    """A server of one small model, which a test may close."""
    with asked({"bytes": ngram()}) as client:
        yield client


def events(served: Asked, **body: Any) -> list[dict[str, Any]]:
    answer = served.post("/v1/completions", stream=True, **body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = answer.text.split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


def whole(found: list[dict[str, Any]], n: int) -> list[dict[str, Any]]:
    """The choices that the events hold."""
    out: list[dict[str, Any]] = []
    for index in range(n):
        parts = [c for e in found for c in e["choices"] if c["index"] == index]
        logs = [p["logprobs"] for p in parts if p["logprobs"] is not None]
        joined = {k: [v for one in logs for v in one[k]] for k in logs[0]} if logs else None
        assert all(p["finish_reason"] is None for p in parts[:-1])
        out.append(
            {
                "index": index,
                "text": "".join(p["text"] for p in parts),
                "logprobs": joined,
                "finish_reason": parts[-1]["finish_reason"],
                "token_ids": [i for p in parts for i in p["token_ids"]],
                "prompt_token_ids": parts[0]["prompt_token_ids"],
            }
        )
    return out


@pytest.mark.parametrize("echo", [False, True])
@pytest.mark.parametrize("logprobs", [None, 0, 3])
@pytest.mark.parametrize(
    "body",
    [
        {"model": "no-eos", "prompt": "the é", "max_tokens": 20, "temperature": 1.5},
        {"model": "bytes", "prompt": ["the", "", "—"], "n": 2, "max_tokens": 9},
        {"model": "no-eos", "prompt": "the", "max_tokens": 12, "temperature": 0, "stop": ["at", "e ca"]},
        {"model": "no-eos", "prompt": [116, 0xE2], "max_tokens": 5},
        {"model": "words", "prompt": "", "max_tokens": 5, "temperature": 0},
        {"model": "hf-x0", "prompt": "the at", "max_tokens": 5},
        {"model": "bytes", "prompt": "the", "max_tokens": 0},
        {"model": "bytes", "prompt": "the", "max_tokens": 1, "temperature": 0},
    ],
)
def test_the_events_joined_are_the_answer(
    served: Asked, body: dict[str, Any], logprobs: int | None, echo: bool
) -> None:
    asked = {**body, "seed": 3, "echo": echo, "logprobs": logprobs, "return_token_ids": True}
    answer = served.ok(**asked)
    found = events(served, **asked, stream_options={"include_usage": True})
    assert found[-1]["usage"] == answer["usage"]
    assert found[-1]["choices"] == []
    assert whole(found[:-1], len(answer["choices"])) == answer["choices"]
    assert len({e["id"] for e in found}) == 1


def test_each_event_has_the_numbers_of_its_tokens(served: Asked) -> None:
    found = events(
        served, model="no-eos", prompt="the", max_tokens=6, logprobs=2, seed=1, return_token_ids=True
    )
    assert len(found) > 3
    for event in found:
        (choice,) = event["choices"]
        assert len(choice["logprobs"]["tokens"]) == len(choice["token_ids"])


def test_what_fails_before_the_first_event_has_a_status(served: Asked) -> None:
    answer = served.post("/v1/completions", model="hf", prompt="", stream=True)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "no-bos")


def test_what_fails_later_is_an_event(served: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    from pofx.errors import OutOfMemory

    own, calls = SharedLM.extend, 0

    def extend(self: SharedLM, *args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise OutOfMemory("the machine has no memory left")
        return own(self, *args)

    monkeypatch.setattr(SharedLM, "extend", extend)
    answer = served.post("/v1/completions", model="no-eos", prompt="the", max_tokens=9, stream=True)
    lines = answer.text.split("\n\n")
    assert answer.status_code == 200
    assert json.loads(lines[-3].removeprefix("data: "))["error"]["code"] == "out-of-memory"
    assert lines[-2:] == ["data: [DONE]", ""]


def test_a_stream_whose_time_is_over_ends_with_an_event(
    served_alone: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, now, calls = SharedLM.extend, 0.0, 0

    def extend(self: SharedLM, *args: Any) -> Any:
        nonlocal now, calls
        calls += 1
        now = 601.0 if calls == 4 else 0.0  # the default is 600 s
        return own(self, *args)

    monkeypatch.setattr(SharedLM, "extend", extend)
    monkeypatch.setattr(cancellation, "monotonic", lambda: now)
    answer = served_alone.post("/v1/completions", prompt="the", max_tokens=60, stream=True, seed=1)
    lines = answer.text.split("\n\n")
    assert answer.status_code == 200
    assert json.loads(lines[-3].removeprefix("data: "))["error"]["code"] == "timeout"
    assert lines[-2:] == ["data: [DONE]", ""]
    assert calls == 4


@pytest.mark.parametrize("stream", [False, True])
def test_work_without_time_is_refused(stream: bool) -> None:
    with asked({"bytes": ngram()}, Settings(timeout=0)) as client:
        found = client.post("/v1/completions", prompt="the", max_tokens=3, stream=stream)
        assert (found.status_code, found.json()["error"]["type"]) == (503, "service_unavailable_error")
        assert found.json()["error"]["code"] == "timeout"
        assert client.post("/v1/score", texts=["the"]).json()["error"]["code"] == "timeout"


def test_a_stream_that_was_admitted_is_answered_though_the_server_closes(
    served_alone: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    app: Any = served_alone.http.app
    begin = EventStream.__call__

    async def late(self: EventStream, *asgi: Any) -> None:
        app.state.desk.close()
        await begin(self, *asgi)

    monkeypatch.setattr(EventStream, "__call__", late)
    asked = {"prompt": "the", "max_tokens": 3, "stream": True}
    assert served_alone.post("/v1/completions", **asked).status_code == 200
    assert (app.state.desk.running, app.state.desk.waiting, app.state.desk.preparing) == (0, 0, 0)
    assert served_alone.refused(**asked)[:2] == (503, "shutting_down")


def test_a_stream_takes_as_many_tokens_of_the_queue_as_it_has(
    served_alone: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    app: Any = served_alone.http.app
    seen: list[int] = []
    monkeypatch.setattr(
        SharedLM, "start", lambda self, n: (seen.append(app.state.desk.waiting), self.lm.start(n))[1]
    )
    served_alone.post("/v1/completions", prompt="the", max_tokens=3, stream=True)
    assert set(seen) == {5 + 3}


def test_a_client_that_goes_away_ends_the_drawing(served: Asked) -> None:
    app: Any = served.http.app
    body = json.dumps({"model": "no-eos", "prompt": "the", "max_tokens": 60_000, "stream": True}).encode()
    headers = [
        (b"host", b"localhost"),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
    ]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/completions",
        "raw_path": b"/v1/completions",
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "scheme": "http",
        "server": ("localhost", 80),
        "client": ("localhost", 1),
        "http_version": "1.1",
    }

    async def exchange() -> int:
        gone, sent, bodies = anyio.Event(), 0, [body]

        async def receive() -> dict[str, Any]:
            if bodies:
                return {"type": "http.request", "body": bodies.pop(), "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            nonlocal sent
            sent += message["type"] == "http.response.body"
            if sent == 3:
                gone.set()

        with anyio.fail_after(60):
            await app(scope, receive, send)
        return sent

    assert 3 <= anyio.run(exchange) < 30_000
    assert (app.state.desk.running, app.state.desk.waiting) == (0, 0)
