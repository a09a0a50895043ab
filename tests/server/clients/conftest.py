"""The Python of the clients, and the tasks that lm-eval asks."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent

CHOICES: list[dict[str, Any]] = [
    {"context": "the", "choices": [" cat", " dog"], "label": 0},
    {"context": "the cat", "choices": [" dog", " the cat"], "label": 1},
    {"context": "the dog", "choices": [" the", " cat the dog", " dog"], "label": 2},
]
EMPTY = {"context": "", "choices": ["the cat", "dog", "the"], "label": 0}
TEXTS = [{"text": "the cat"}, {"text": "the dog the cat"}, {"text": "dog"}]
PROMPTS = [
    {"context": "the", "answer": " cat"},
    {"context": "the dog", "answer": ""},
    {"context": "", "answer": "the"},
]
_TASK = """task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
target_delimiter: ""
output_type: {kind}
"""
_REST = {
    "choice": 'doc_to_text: "{{context}}"\ndoc_to_choice: "{{choices}}"\ndoc_to_target: label\nmetric_list: [{metric: acc}]\n',
    "rolling": 'doc_to_text: ""\ndoc_to_target: "{{text}}"\nmetric_list: [{metric: bits_per_byte}]\n',
    "generate": 'doc_to_text: "{{context}}"\ndoc_to_target: "{{answer}}"\nmetric_list: [{metric: exact_match}]\n'
    'generation_kwargs: {until: ["\\n", "sat"], max_gen_toks: 8}\n',
}
_KINDS = {"choice": "multiple_choice", "rolling": "loglikelihood_rolling", "generate": "generate_until"}


@pytest.fixture(scope="session")
def clients_python() -> Path:
    """The Python that has the clients; tests are skipped where `make test-clients` has not made it."""
    python = Path(os.environ.get("POFX_CLIENTS", ROOT / ".venv-clients")) / "bin" / "python"
    if python.exists():
        return python
    pytest.skip("the clients are not installed; make test-clients installs them")


@pytest.fixture(scope="session")
def offline(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a client that reaches nothing but the server."""
    home = tmp_path_factory.mktemp("clients")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "OPENAI", "HF_"))}
    return {
        **kept,
        "HOME": str(home),
        "HF_HOME": str(home / "hf"),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "LLM_USER_PATH": str(home / "llm"),
        "NO_PROXY": "*",
    }


@pytest.fixture(scope="session")
def evaluate(
    tmp_path_factory: pytest.TempPathFactory, clients_python: Path, offline: dict[str, str]
) -> Callable[[Sequence[dict[str, Any]]], list[dict[str, Any]]]:
    """Runs of lm-eval: tasks are `choice`, `rolling` and `generate`, and `given` and `continue` without empty contexts."""
    home = tmp_path_factory.mktemp("tasks")
    data = {
        "choice": [*CHOICES, EMPTY],
        "given": CHOICES,
        "rolling": TEXTS,
        "generate": PROMPTS,
        "continue": PROMPTS[:2],
    }
    for name, rows in data.items():
        file = home / f"{name}.jsonl"
        file.write_text("".join(json.dumps(r) + "\n" for r in rows))
        like = {"given": "choice", "continue": "generate"}.get(name, name)
        (home / f"{name}.yaml").write_text(
            _TASK.format(name=name, data=file, kind=_KINDS[like]) + _REST[like]
        )

    def run(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        done = subprocess.run(
            [str(clients_python), str(HERE / "lm_eval_runs.py"), str(home)],
            input=json.dumps(runs),
            capture_output=True,
            text=True,
            env=offline,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return list(json.loads(done.stdout))

    return run
