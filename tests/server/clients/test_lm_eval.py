"""lm-evaluation-harness, unmodified, by the commands of the banner: every number is pofx's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pofx
from pofx.transforms.with_begin import with_begin
from served import Server, serving

pytestmark = pytest.mark.clients
ALL = ["choice", "rolling", "generate"]
# An empty context to generate from is refused by a model without x0.
NO_X0 = ["choice", "rolling", "continue"]
# Model, client, tasks, batch size, requests side by side.
RUNS: list[tuple[str, str, list[str], int, int]] = [
    ("own", "local-completions", ALL, 1, 1),
    ("own", "local-completions", ALL, 8, 1),
    ("own", "local-completions", ALL, 8, 4),
    ("own", "gguf", ["choice", "generate"], 1, 1),
    ("words", "local-completions", ALL, 8, 4),
    ("words", "gguf", ["choice", "generate"], 1, 1),
    ("tiny", "local-completions", ALL, 1, 4),
    ("tiny", "local-completions", ALL, 8, 1),
    ("tiny", "gguf", ["choice", "generate"], 1, 1),
    ("plain", "local-completions", NO_X0, 8, 4),
    ("plain", "gguf", ["given", "continue"], 1, 1),
    ("gguf", "local-completions", NO_X0, 8, 4),
    ("open", "local-completions", NO_X0, 1, 1),
]
# Models that compute in float32: a text that is computed with others differs in the last bits from one that is alone.
ALONE = ("tiny", "plain", "gguf")


def arguments(server: Server, name: str, client: str, side_by_side: int) -> str:
    """The arguments that the banner gives for a model; the client gguf takes an address alone."""
    if client == "gguf":
        return f"base_url={server.url}/models/{name}"
    (found,) = re.findall(rf"--model_args (model={name},\S+)", server.banner)
    return f"{found},num_concurrent={side_by_side}"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, model_files: dict[str, str]) -> Iterator[Server]:
    """A server that computes each text alone, as `pofx score` does that is given one text."""
    chosen = {name: model_files[name] for name in ALONE}
    with serving(tmp_path_factory.mktemp("alone"), chosen, "--deterministic") as s:
        yield s


@pytest.fixture(scope="module")
def answers(
    server: Server, alone: Server, evaluate: Callable[..., list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    asked = [(server, r) for r in RUNS] + [
        (alone, (name, "local-completions", NO_X0, 8, 4)) for name in ALONE
    ]
    return evaluate(
        [
            {"model": client, "args": arguments(at, name, client, many), "tasks": tasks, "batch_size": size}
            for at, (name, client, tasks, size, many) in asked
        ]
    )


def own_model(server: Server, name: str) -> pofx.LM:
    """The model whose numbers lm-eval has to report: without x0, EOS stands before texts without a context."""
    lm = pofx.load(Path(server.models[name]))
    if lm.begin.known != "none":
        return lm
    end = lm.vocab.end
    assert end is not None
    return with_begin(lm, end)


def continuation(lm: pofx.LM, context: str, text: str) -> tuple[float, bool]:
    """log P(text | context), and whether each of its tokens is the likeliest."""
    before, whole = lm.vocab.encode(context), lm.vocab.encode(context + text)
    # A context is read as it is: x0 stands before it only where the model has one of its own.
    assumed = lm.begin.known == "assumed" and bool(context)
    reader = lm.bare() if assumed else lm
    assert reader is not None
    # The path of a whole text, as `pofx.score` reads it.
    trace = reader.forward([[*whole, lm.vocab.end]], pofx.Want(rank=True), skip=len(before))
    assert trace.rank is not None
    return float(trace.logp[0][:-1].sum()), bool(np.all(trace.rank[0][:-1] == 1))


def greedy(lm: pofx.LM, context: str, most: int) -> str:
    """The text of the likeliest tokens, up to a stop string or EOS."""
    assumed = lm.begin.known == "assumed" and bool(context)
    reader = lm.bare() if assumed else lm
    assert reader is not None
    before = lm.vocab.encode(context)
    state, ids = reader.start(1), list(before)
    if before:
        state = reader.extend(state, [before])
    for _ in range(most):
        token = int(np.argmax(state.logp[0]))
        if token == lm.vocab.end:
            break
        ids.append(token)
        state = reader.extend(state, [[token]])
    text = lm.vocab.decode(ids)[len(context.encode()) :].decode("utf-8", "replace")
    for stop in ("\n", "sat"):
        text = text.split(stop)[0]
    return text


@pytest.mark.parametrize("run", range(len(RUNS)), ids=[f"{r[0]}-{r[1]}-{r[3]}-{r[4]}" for r in RUNS])
def test_every_number_is_that_of_pofx(server: Server, answers: list[dict[str, Any]], run: int) -> None:
    name, client, tasks, _, _ = RUNS[run]
    check(own_model(server, name), client, tasks, answers[run], 1e-4 if name in ALONE else 1e-9)


@pytest.mark.parametrize("name", ALONE)
def test_texts_that_are_computed_alone_have_the_numbers_of_texts_that_are_alone(
    server: Server, answers: list[dict[str, Any]], name: str
) -> None:
    found = answers[len(RUNS) + ALONE.index(name)]
    check(own_model(server, name), "local-completions", NO_X0, found, 1e-9)


def check(lm: pofx.LM, client: str, tasks: list[str], found: dict[str, Any], within: float) -> None:
    assert set(found["samples"]) == set(tasks)
    for task in set(tasks) & {"choice", "given"}:
        right = 0
        for sample in found["samples"][task]:
            doc = sample["doc"]
            got = [(float(p), str(g) == "True") for ((p, g),) in sample["resps"]]
            numbers = [continuation(lm, doc["context"], c) for c in doc["choices"]]
            assert [p for p, _ in got] == pytest.approx([p for p, _ in numbers], abs=within)
            if client != "gguf":  # it counts the generated token, too
                assert [g for _, g in got] == [g for _, g in numbers]
            right += int(np.argmax([p for p, _ in numbers])) == doc["label"]
        assert found["results"][task]["acc,none"] == right / len(found["samples"][task])
    for sample in found["samples"].get("rolling", []):
        ((got,),) = sample["resps"]
        (own,) = pofx.score(lm, [sample["doc"]["text"]])
        assert float(got) == pytest.approx(own.logp[:-1].sum(), abs=within)
    for sample in [s for task in ("generate", "continue") for s in found["samples"].get(task, [])]:
        ((got,),) = sample["resps"]
        want = greedy(lm, sample["doc"]["context"], 16 if client == "gguf" else 8)
        assert got == (want.strip() if client == "gguf" else want)


def test_the_banner_has_a_command_for_each_model(server: Server) -> None:
    for name in server.models:
        assert f"base_url={server.url}/models/{name}" in server.banner
    # x0 of this model has the id 0, which lm-eval takes for none; and it is not before ids by itself.
    assert re.search(
        r"model=tiny,base_url=\S+/begin/v1/completions,\S+,custom_prefix_token_id=0", server.banner
    )
