"""lm-eval itself, with its class for models of Hugging Face, on the same tasks: every number is its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lm_eval_tasks import GROUPS, TASKS, TableLM, tables, write_tasks

import pofx
import tiny_checkpoints
from pofx.evaluation.lm_eval.group import evaluate_group
from pofx.evaluation.lm_eval.group_file import read_group
from pofx.evaluation.lm_eval.prompts import read_task
from pofx.evaluation.lm_eval.report import evaluate_task
from pofx.queries.scoring.peers import as_peer

pytestmark = pytest.mark.clients
ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
LONGEST = 64


@dataclass(frozen=True)
class Run:
    adds: tiny_checkpoints.Adds
    tables: bool
    batch_size: int


RUNS = [Run("nothing", True, 1), Run("bos", True, 8), Run("both", True, 8), Run("nothing", False, 4)]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    home = tmp_path_factory.mktemp("checkpoints")
    return [tiny_checkpoints.write(home / str(k), adds=run.adds) for k, run in enumerate(RUNS)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_tasks(tmp_path_factory.mktemp("tasks"))


@pytest.fixture(scope="module")
def found(
    tmp_path_factory: pytest.TempPathFactory, checkpoints: list[Path], files: dict[str, Path]
) -> list[dict[str, Any]]:
    """The answers of lm-eval, a dict for each run."""
    clients = Path(os.environ.get("POFX_CLIENTS", ROOT / ".venv-clients"))
    sites = sorted(clients.glob("lib/python*/site-packages"))
    if not sites:
        pytest.skip("the clients are not installed; make test-clients installs them")
    home = tmp_path_factory.mktemp("home")
    np.save(home / "tables.npy", tables(tiny_checkpoints.ROWS))
    runs = [
        {
            "checkpoint": str(path),
            "tokenizer": str(path / "tokenizer.json"),
            "bos": "<bos>",
            "tables": str(home / "tables.npy") if run.tables else None,
            "longest": LONGEST,
            "batch_size": run.batch_size,
            "names": list(TASKS),
            "groups": list(GROUPS) if k == 0 else [],  # a group costs what its tasks cost
        }
        for k, (path, run) in enumerate(zip(checkpoints, RUNS))
    ]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "HF_"))}
    done = subprocess.run(
        [sys.executable, str(HERE / "hf_runs.py"), str(sites[0])],
        input=json.dumps({"tasks": str(next(iter(files.values())).parent), "runs": runs}),
        capture_output=True,
        text=True,
        env={
            **kept,
            "HOME": str(home),
            "HF_HOME": str(home),
            "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_OFFLINE": "1",
        },
        timeout=220,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return list(json.loads(done.stdout))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("k", range(len(RUNS)), ids=[f"{r.adds}-{r.tables}" for r in RUNS])
def test_every_string_and_number_is_that_of_lm_eval(
    found: list[dict[str, Any]], checkpoints: list[Path], files: dict[str, Path], k: int, task: str
) -> None:
    lm = pofx.load(checkpoints[k])
    if RUNS[k].tables:
        lm = TableLM(lm.vocab, tables(tiny_checkpoints.ROWS), LONGEST)
    # A table adds in float64. A checkpoint computes in float32 here and there, in another order.
    within = 1e-9 if RUNS[k].tables else 1e-3
    read = read_task(files[task])
    report = evaluate_task(lm, read)
    samples = found[k]["samples"][task]
    assert len(samples) == len(report.scores)
    for sample, scores in zip(samples, report.scores):
        item = scores.item
        strings = [tuple(a) for a in sample["arguments"]]
        if read.output == "loglikelihood_rolling":
            assert strings == [(item.continuations[0],)]
            assert scores.log_p[0] == pytest.approx(_numbers(sample)[0][0], abs=within)
            continue
        expected = [*zip(item.contexts, item.continuations), *(("", c) for c in item.alone)]
        assert strings == expected
        numbers = _numbers(sample)
        got = [*scores.log_p, *(scores.alone if scores.alone is not None else ())]
        assert got == pytest.approx([p for p, _ in numbers], abs=within)
        some = list(zip(item.contexts, item.continuations, numbers))[:1]
        for before, after, (number, _) in some:
            assert as_peer(lm, after, "lm-eval", given=before).value == pytest.approx(number, abs=within)
        if scores.greedy is not None:
            assert scores.greedy.tolist() == [g for _, g in numbers][: len(scores.greedy)]
    results = found[k]["results"][task]
    assert {m.name for m in report.metrics} == {name.split(",")[0] for name in results if _is_metric(name)}
    for metric in report.metrics:
        assert metric.value == pytest.approx(results[f"{metric.name},none"], rel=within, abs=within)
        error = results[f"{metric.name}_stderr,none"]
        if metric.error is not None:
            assert metric.error == pytest.approx(error, abs=1e-9)
        else:
            assert error == "N/A" or metric.name == "perplexity"  # a bootstrap there


@pytest.mark.parametrize("group", GROUPS)
def test_the_means_of_a_group_are_those_of_lm_eval(
    found: list[dict[str, Any]], checkpoints: list[Path], files: dict[str, Path], group: str
) -> None:
    lm = TableLM(pofx.load(checkpoints[0]).vocab, tables(tiny_checkpoints.ROWS), LONGEST)
    report = evaluate_group(lm, read_group(files["plain"].parent / f"{group}.yaml"))
    expected = found[0]["groups"][group]
    metrics = report.metrics[group]
    assert {m.name for m in metrics} == {n.split(",")[0] for n in expected if _is_metric(n)}
    for metric in metrics:
        assert metric.value == pytest.approx(expected[f"{metric.name},none"], abs=1e-9)
        assert metric.error == pytest.approx(expected[f"{metric.name}_stderr,none"], abs=1e-9)


def _numbers(sample: dict[str, Any]) -> list[tuple[float, bool]]:
    out = []
    for (one,) in sample["resps"]:
        p, g = one if isinstance(one, list) else (one, False)
        out.append((float(p), str(g) == "True"))
    return out


def _is_metric(name: str) -> bool:
    return name.endswith(",none") and "_stderr" not in name
