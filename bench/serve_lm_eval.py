"""lm-evaluation-harness asks `pofx serve -m smollm2`: every number beside pofx's own.

    make .venv-clients/.installed
    python bench/serve_lm_eval.py

A hundred contexts with two continuations each, and 20 rolling texts, go through `local-completions` at batch sizes 1 and 8
with 4 requests side by side. SmolLM2 has no x0: contexts stand after nothing, and rolling texts after EOS, which lm-eval
puts there. What counts is the largest difference in nats, how many flags `is_greedy` differ, and the memory of both sides.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import numpy as np

import pofx
from pofx.transforms.with_begin import with_begin

ROOT = Path(__file__).parent.parent
CLIENTS = Path(os.environ.get("POFX_CLIENTS", ROOT / ".venv-clients")) / "bin" / "python"
TASK = """task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
target_delimiter: ""
"""
CHOICE = 'output_type: multiple_choice\ndoc_to_text: "{{context}}"\ndoc_to_choice: "{{choices}}"\ndoc_to_target: label\n'
ROLLING = """output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{text}}"
metric_list: [{metric: bits_per_byte}]
"""


def documents(most: int) -> list[str]:
    lines = (ROOT / "docs" / "proverbs.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if len(line.split()) > 4][:most]


def pairs(texts: list[str]) -> list[dict[str, object]]:
    """A beginning of each text, and two ends: its own, and that of the next text."""
    cut = [(t[: (at := t.index(" ", len(t) // 2))], t[at:]) for t in texts]
    return [
        {"context": context, "choices": [end, cut[(k + 1) % len(cut)][1]], "label": 0}
        for k, (context, end) in enumerate(cut)
    ]


def main() -> None:
    texts = documents(100)
    with tempfile.TemporaryDirectory() as home:
        tasks = {"choice": (pairs(texts), CHOICE), "rolling": ([{"text": t} for t in texts[:20]], ROLLING)}
        for name, (rows, rest) in tasks.items():
            data = Path(home) / f"{name}.jsonl"
            data.write_text("".join(json.dumps(r) + "\n" for r in rows))
            (Path(home) / f"{name}.yaml").write_text(TASK.format(name=name, data=data) + rest)
        server = subprocess.Popen(
            [sys.executable, "-m", "pofx", "serve", "-m", "smollm2", "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            found = ask(server, home)
        finally:
            server.terminate()
            server.wait(60)
    lm = pofx.load("smollm2")
    report(lm, found)


def ask(server: subprocess.Popen[str], home: str) -> list[dict[str, object]]:
    assert server.stdout is not None
    said = ""
    while not said.endswith("accepted.\n"):
        line = server.stdout.readline()
        assert line, said
        said += line
    (arguments,) = re.findall(r"--model_args (\S+)", said)
    runs = [
        {
            "model": "local-completions",
            "args": f"{arguments},num_concurrent={many}",
            "tasks": ["choice", "rolling"],
            "batch_size": size,
        }
        for size, many in ((1, 4), (8, 4))
    ]
    before, began = resident(server, "VmRSS"), time.monotonic()
    done = subprocess.run(
        [str(CLIENTS), str(ROOT / "tests" / "server" / "clients" / "lm_eval_runs.py"), home],
        input=json.dumps(runs),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": "", "HF_HUB_OFFLINE": "1", "HF_HOME": home},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    print(f"two runs of lm-eval: {time.monotonic() - began:.0f} s")
    client = getrusage(RUSAGE_CHILDREN).ru_maxrss / 1024  # the largest child that has ended: lm-eval alone
    after, peak = resident(server, "VmRSS"), resident(server, "VmHWM")
    print(
        f"memory: server {before:.0f} MB before, {after:.0f} after, {peak:.0f} at most; lm-eval {client:.0f} at most"
    )
    return list(json.loads(done.stdout))


def resident(process: subprocess.Popen[str], field: str) -> float:
    """Megabytes of a process that runs: VmRSS now, VmHWM at most so far."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    (found,) = re.findall(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
    return int(found) / 1024


def report(lm: pofx.LM, runs: list[dict[str, object]]) -> None:
    bare, end = lm.bare(), lm.vocab.end
    assert bare is not None
    assert end is not None
    rolling = with_begin(bare, end)
    for size, run in zip((1, 8), runs):
        apart, flags, n, right, same = [], 0, 0, 0, 0
        for sample in run["samples"]["choice"]:  # type: ignore[index]
            doc, own, got = sample["doc"], [], []
            for choice, ((p, greedy),) in zip(doc["choices"], sample["resps"]):
                before, whole = lm.vocab.encode(doc["context"]), lm.vocab.encode(doc["context"] + choice)
                trace = bare.forward([[*whole, end]], pofx.Want(rank=True), skip=len(before))
                own.append(float(trace.logp[0][:-1].sum()))
                got.append(float(p))
                flags += bool(np.all(trace.rank[0][:-1] == 1)) != (str(greedy) == "True")
                n += 1
            apart += [abs(a - b) for a, b in zip(own, got)]
            right += int(np.argmax(got)) == 0
            same += int(np.argmax(got)) == int(np.argmax(own))
        for sample in run["samples"]["rolling"]:  # type: ignore[index]
            ((p,),) = sample["resps"]
            apart.append(abs(float(p) - pofx.prefix_log_prob(rolling, sample["doc"]["text"])))
        accuracy = f"accuracy {right / (n // 2):.2f}, the same answer as pofx in {same} of {n // 2}"
        print(
            f"batch size {size}: {max(apart):.1e} nats apart at most, {flags} of {n} flags differ, {accuracy}"
        )


if __name__ == "__main__":
    main()
