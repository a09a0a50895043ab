"""openai-python, simonw/llm and inspect_ai, unmodified."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import pofx
from served import Server

pytestmark = pytest.mark.clients


def run(python: Path, environment: dict[str, str], *words: str, code: str = "") -> str:
    """What a program of the clients' Python writes."""
    command = [str(python), "-c", code, *words] if code else [str(python.parent / words[0]), *words[1:]]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=environment,
        stdin=subprocess.DEVNULL,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


OPENAI = """
import json, sys
from openai import BadRequestError, NotFoundError, OpenAI
client = OpenAI(base_url=sys.argv[1] + "/v1", api_key="none", max_retries=0)
create = client.completions.create
out = {"models": [m.id for m in client.models.list()], "one": client.models.retrieve("own").id}
out["text"] = create(model="own", prompt="the cat", echo=True, max_tokens=0, logprobs=5).to_dict()
out["ids"] = create(model="own", prompt=[257, 116, 104], echo=True, max_tokens=0, logprobs=5).to_dict()
out["drawn"] = create(model="own", prompt=["the", "a"], n=2, seed=3, max_tokens=5).to_dict()
streamed = create(model="own", prompt=["the", "a"], n=2, seed=3, max_tokens=5, stream=True)
out["streamed"] = [(c.choices[0].index, c.choices[0].text, c.choices[0].finish_reason) for c in streamed]
refused = []
for wrong in ({"model": "nobody", "prompt": "a"}, {"model": "own", "prompt": [999]}):
    try:
        create(**wrong)
    except (BadRequestError, NotFoundError) as e:
        refused.append((type(e).__name__, e.code))
out["refused"] = refused
print(json.dumps(out))
"""


def test_openai_python(server: Server, clients_python: Path, offline: dict[str, str]) -> None:
    found = json.loads(run(clients_python, offline, server.url, code=OPENAI))
    lm = pofx.load(Path(server.models["own"]))
    assert found["models"] == list(server.models)
    assert found["one"] == "own"
    logs: dict[str, Any] = found["text"]["choices"][0]["logprobs"]
    assert logs["token_logprobs"] == pytest.approx(lm.forward([list(b"the cat")]).logp[0], abs=1e-9)
    assert found["ids"]["choices"][0]["logprobs"]["token_logprobs"][0] is None
    for choice in found["drawn"]["choices"]:
        parts = [p for p in found["streamed"] if p[0] == choice["index"]]
        assert "".join(text for _, text, _ in parts) == choice["text"]
        assert parts[-1][2] == choice["finish_reason"]
    assert found["refused"] == [["NotFoundError", "model_not_found"], ["BadRequestError", "invalid_token"]]


def test_simonw_llm(server: Server, clients_python: Path, offline: dict[str, str]) -> None:
    home = Path(offline["LLM_USER_PATH"])
    home.mkdir(parents=True, exist_ok=True)
    (home / "extra-openai-models.yaml").write_text(
        f"- model_id: pofx-own\n  model_name: own\n  api_base: {server.url}/v1\n  completion: true\n"
    )
    said = [
        "llm",
        "-m",
        "pofx-own",
        "the",
        "-o",
        "seed",
        "3",
        "-o",
        "max_tokens",
        "6",
        "-o",
        "logprobs",
        "2",
        "--key",
        "k",
    ]
    streamed = run(clients_python, offline, *said).rstrip("\n")
    whole = run(clients_python, offline, *said, "--no-stream").rstrip("\n")
    body = {"model": "own", "prompt": "the", "seed": 3, "max_tokens": 6, "logprobs": 2}
    (choice,) = server.post("/v1/completions", body).json()["choices"]
    assert streamed == whole == choice["text"].rstrip("\n")
    logged = json.loads(run(clients_python, offline, "llm", "logs", "-n", "2", "--json"))
    for entry in logged:
        assert "logprobs" in json.dumps(entry["response_json"])


INSPECT = """
import asyncio, json, sys
from inspect_ai.model import GenerateConfig, get_model
async def ask():
    model = get_model("openai-api-completions/pofx/own", base_url=sys.argv[1] + "/v1", api_key="none")
    config = GenerateConfig(prompt_logprobs=1, max_tokens=1, logprobs=True, top_logprobs=2)
    out = await model.generate("the cat", config=config)
    return out.model_dump(mode="json")
print(json.dumps(asyncio.run(ask())))
"""


def test_inspect_ai_by_its_completions_provider(
    server: Server, clients_python: Path, offline: dict[str, str]
) -> None:
    found = json.loads(run(clients_python, offline, server.url, code=INSPECT))
    lm = pofx.load(Path(server.models["own"]))
    (choice,) = found["choices"]
    prompt = choice["prompt_logprobs"]["content"]
    own = lm.forward([list(b"the cat")]).logp[0]
    assert [t["logprob"] for t in prompt][-len(own) :] == pytest.approx(own.tolist(), abs=1e-9)
