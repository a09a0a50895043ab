"""Questions with choices by pofx and by lm-eval: the same task file, the same checkpoint, the same numbers.

    python3.11 -m venv .venv-peers && .venv-peers/bin/pip install -c constraints.txt -r bench/peers.txt
    python bench/evaluate.py                                          200 questions of 4 choices, contexts of 200 tokens
    python bench/evaluate.py --items 8 --context 40 --batches 4       a look, not a result

Each tool is a process of its own with one thread and float32. They take turns, and what counts is CPU seconds after loading
and a warm-up of two questions. "pofx" is `evaluate_choices` by log P. "pofx, as lm-eval" is `evaluate_task`, which computes
lm-eval's numbers and pofx's own. lm-eval runs with each of the batch sizes, and the fastest one counts. The goal is a third
of lm-eval's seconds at numbers that differ by at most 1e-3 nats a string: float32 rounds sums over 200 tokens.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TASK = """task: bench
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{context}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: label
"""
WARM = 2
MOST_APART = 1e-3  # nats a string
GOAL = 3.0
QUIET = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "PYTHONWARNINGS": "ignore",
}


def write_task(folder: Path, name: str, rows: list[dict]) -> Path:
    data, task = folder / f"{name}.jsonl", folder / f"{name}.yaml"
    data.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    task.write_text(TASK.format(rows=data).replace("task: bench", f"task: {name}"), encoding="utf-8")
    return task


def questions(checkpoint: Path, n: int, choices: int, context: int) -> list[dict]:
    """Contexts from documents, each with the words that follow and the words that follow other contexts."""
    from tokenizers import Tokenizer

    import pofx

    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    text = " ".join(d.replace("\n", " ") for d in pofx.builtin_documents())
    words = text.split()
    rng = random.Random(0)
    contexts, ends = [], []
    while len(contexts) < n:
        at = rng.randrange(len(words) - context - 20)
        chosen = words[at : at + context]
        while len(tokenizer.encode(" ".join(chosen)).ids) > context:
            chosen = chosen[1:]
            at += 1
        contexts.append(" ".join(chosen))
        after = at + len(chosen)
        ends.append(" ".join(words[after : after + rng.randint(1, 6)]))
    out = []
    for c, right in zip(contexts, ends):
        others = rng.sample([e for e in dict.fromkeys(ends) if e != right], choices - 1)
        out.append({"context": c, "choices": [right, *others], "label": 0})
    return out


def work(tool: str, checkpoint: str, task: str, warm: str, batch: int) -> dict:
    """Run one tool here, and return its CPU seconds, its accuracy and log p of each string."""
    if tool == "lm-eval":
        return work_lm_eval(checkpoint, task, warm, batch)
    import pofx

    lm = pofx.load(checkpoint)

    def run(path: str) -> tuple[float, list[float]]:
        read = pofx.read_task(path)
        if tool == "pofx, as lm-eval":
            report = pofx.evaluate_task(lm, read)
            return report.metrics[0].value, [float(x) for s in report.scores for x in s.log_p]
        found = pofx.evaluate_choices(lm, read.questions(), between="", neutral=None)
        return found.rules[0].accuracy, [float(x) for s in found.items for x in s.log_p]

    run(warm)
    at = time.process_time()
    accuracy, log_p = run(task)
    return {"cpu": time.process_time() - at, "accuracy": accuracy, "log_p": log_p}


def work_lm_eval(checkpoint: str, task: str, warm: str, batch: int) -> dict:
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype="float32").eval()
    lm = HFLM(pretrained=model, tokenizer=AutoTokenizer.from_pretrained(checkpoint), batch_size=batch)
    manager = TaskManager(include_path=str(Path(task).parent), include_defaults=False)

    def run(path: str) -> dict:
        return simple_evaluate(model=lm, tasks=[Path(path).stem], task_manager=manager, bootstrap_iters=0)

    run(warm)
    at = time.process_time()
    found = run(task)
    seconds = time.process_time() - at
    rows = sorted(found["samples"][Path(task).stem], key=lambda s: s["doc_id"])
    log_p = [float(r[0][0]) for s in rows for r in s["resps"]]
    return {"cpu": seconds, "accuracy": found["results"][Path(task).stem]["acc,none"], "log_p": log_p}


def start(python: Path, arguments: list[str]) -> dict:
    """Run one tool in a process of its own."""
    done = subprocess.run(
        [str(python), str(Path(__file__).resolve()), "--worker", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **QUIET},
        check=False,
    )
    if done.returncode:
        sys.exit(f"{arguments[0]}: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--choices", type=int, default=4)
    parser.add_argument("--context", type=int, default=200, help="tokens of a context, at most")
    parser.add_argument("--batches", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--peers-python", type=Path, default=ROOT / ".venv-peers" / "bin" / "python")
    parser.add_argument("--worker", nargs=5, metavar=("TOOL", "CHECKPOINT", "TASK", "WARM", "BATCH"))
    options = parser.parse_args()
    if options.worker:
        *named, batch = options.worker
        print(json.dumps(work(*named, int(batch))))
        return
    from score import checkpoint_of

    checkpoint = checkpoint_of(options.model)
    rows = questions(checkpoint, options.items, options.choices, options.context)
    tools = [("pofx", 0), ("pofx, as lm-eval", 0), *(("lm-eval", b) for b in options.batches)]
    found: dict[tuple[str, int], list[dict]] = {tool: [] for tool in tools}
    with tempfile.TemporaryDirectory() as folder:
        task, warm = write_task(Path(folder), "bench", rows), write_task(Path(folder), "warm", rows[:WARM])
        for _ in range(options.reps):
            for name, batch in tools:
                python = options.peers_python if name == "lm-eval" else Path(sys.executable)
                arguments = [name, str(checkpoint), str(task), str(warm), str(batch)]
                found[name, batch].append(start(python, arguments))
    told = f"{options.items} questions of {options.choices} choices, contexts of at most {options.context} tokens"
    print(f"{options.model}, {told}")
    seconds = {tool: statistics.median(a["cpu"] for a in answers) for tool, answers in found.items()}
    best = min((t for t in tools if t[0] == "lm-eval"), key=lambda t: seconds[t])
    for tool in tools:
        name = tool[0] + (f", batches of {tool[1]}" if tool[1] else "")
        apart = max(abs(x - y) for x, y in zip(found[tool][0]["log_p"], found[best][0]["log_p"]))
        ratio = seconds[best] / seconds[tool]
        print(
            f"  {name:24} {seconds[tool]:8.2f} CPU s  {ratio:5.2f} × lm-eval  accuracy {found[tool][0]['accuracy']:.4f}  "
            f"largest difference {apart:.1e} nats"
        )
    a, b = found["pofx, as lm-eval", 0][0], found[best][0]
    apart = max(abs(x - y) for x, y in zip(a["log_p"], b["log_p"]))
    ratio = seconds[best] / seconds["pofx", 0]
    print(
        f"  equal numbers as lm-eval: {'yes' if apart <= MOST_APART and a['accuracy'] == b['accuracy'] else 'NO'}"
    )
    print(f"  goal of {GOAL:g} ×: {'reached' if ratio >= GOAL else 'MISSED'} ({ratio:.2f})")


if __name__ == "__main__":
    main()
