"""A server reads the prefix of a pretrained model once, and its numbers stay those of the model."""

from __future__ import annotations

from pathlib import Path

import pytest

import pofx
import tiny_checkpoints
from pofx.lm.model import LM
from pofx.server.settings import Settings
from served_models import Asked, asked

CONTEXT = "the cat sat at the hat"
ANSWERS = [" and a mat", " and the rat", "!", " at the"]
CLOSE = 1e-5


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> LM:
    return pofx.load(tiny_checkpoints.write(tmp_path_factory.mktemp("tiny"), adds="bos"))


def metric(client: Asked, name: str) -> float:
    lines = client.http.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def totals(client: Asked) -> list[float]:
    """log p of each answer after the context, each asked for by a request of its own."""
    out = []
    for answer in ANSWERS:
        found = client.post("/v1/score", texts=[answer], given=CONTEXT, boundary="token").json()
        out.append(found["scores"][0]["total_nats"])
    return out


def test_a_context_is_read_once(lm: LM) -> None:
    expected = [pofx.log_prob(lm, a, given=CONTEXT, boundary="token") for a in ANSWERS]
    context, read = len(lm.vocab.encode(CONTEXT)), sum(len(lm.vocab.encode(a)) for a in ANSWERS)
    with asked({"tiny": lm}, Settings()) as client:
        assert totals(client) == pytest.approx(expected, abs=CLOSE)
        assert metric(client, "pofx_prefix_read_tokens_total") <= 1 + context + read
        assert metric(client, "pofx_prefix_saved_tokens_total") >= 3 * context
        assert metric(client, "pofx_prefix_hits_total") == 3
        assert totals(client) == pytest.approx(expected, abs=CLOSE)
        assert metric(client, "pofx_prefix_hits_total") == 7


def test_an_echo_is_read_once(lm: LM) -> None:
    """As lm-eval asks: every token of context and answer is requested."""
    with asked({"tiny": lm}, Settings()) as client:
        body = {"prompt": CONTEXT, "echo": True, "logprobs": 1, "max_tokens": 1, "temperature": 0}
        first, second = (client.choice(**body)["logprobs"] for _ in range(2))
        assert first["tokens"] == second["tokens"]
        assert first["token_logprobs"] == pytest.approx(second["token_logprobs"], abs=CLOSE)
        assert metric(client, "pofx_prefix_saved_tokens_total") >= len(lm.vocab.encode(CONTEXT))


def test_a_prompt_before_draws_is_read_once(lm: LM) -> None:
    """Draws after a prompt that the memory has, from a score or from draws, are those of a server without a memory."""
    prompt = lm.vocab.encode(CONTEXT)
    body = {"prompt": CONTEXT, "max_tokens": 5, "n": 3, "seed": 1, "temperature": 1}

    def drawn(client: Asked) -> list[str]:
        return [choice["text"] for choice in client.ok(**body)["choices"]]

    with asked({"tiny": lm}, Settings(prefixes=0)) as client:
        expected = drawn(client)
    with asked({"tiny": lm}, Settings()) as client:
        assert drawn(client) == expected
        assert metric(client, "pofx_prefix_saved_tokens_total") < len(prompt)
        read = metric(client, "pofx_prefix_read_tokens_total")
        assert drawn(client) == expected
        assert metric(client, "pofx_prefix_saved_tokens_total") >= len(prompt) - 1
        assert metric(client, "pofx_prefix_hits_total") == 1
        assert metric(client, "pofx_prefix_read_tokens_total") <= read + 2
        client.post("/v1/score", texts=["!"], given=CONTEXT, boundary="token")
        assert metric(client, "pofx_prefix_hits_total") == 2


def test_the_memory_stays_within_its_size(lm: LM) -> None:
    size = 1 << 14
    with asked({"tiny": lm}, Settings(prefixes=size)) as client:
        for k in range(40):
            client.post("/v1/score", texts=[f"{k} {CONTEXT}"])
            assert 0 < metric(client, "pofx_prefix_bytes") <= size


@pytest.mark.parametrize("settings", [Settings(deterministic=True), Settings(prefixes=0)])
def test_a_deterministic_server_keeps_nothing(lm: LM, settings: Settings) -> None:
    with asked({"tiny": lm}, settings) as client:
        first = totals(client)
        assert totals(client) == first
        for name in ("hits_total", "saved_tokens_total", "read_tokens_total", "bytes"):
            assert metric(client, f"pofx_prefix_{name}") == 0


def test_readiness_takes_nothing_from_the_memory(tmp_path: Path) -> None:
    """A model whose layers were confused after the start is found, although the memory has its golden path."""
    lm = pofx.load(tiny_checkpoints.write(tmp_path, adds="bos"))
    with asked({"tiny": lm}, Settings()) as client:
        path = list(client.http.app.state.golden["tiny"].path)  # type: ignore[attr-defined]
        client.ok(prompt=path, echo=True, logprobs=1, max_tokens=1, temperature=0)
        assert client.http.get("/ready").status_code == 200
        core = client.http.app.state.table.model(None).lm  # type: ignore[attr-defined]
        while hasattr(core, "lm"):
            core = core.lm
        core.body.decoder.blocks.reverse()
        assert client.http.get("/ready").status_code == 503
