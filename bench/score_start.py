"""Start-up: how long until the first answer, of whole processes, everything that can be cached cached."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from score_report import Verdicts, table
from score_run import Setting, environment, say

TEXT = "The cat sat on the mat."
LOOP = """
import sys, torch
torch.set_num_threads(1)
from transformers import AutoModelForCausalLM, AutoTokenizer
place, x0, text = sys.argv[1:]
model, cut = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32), AutoTokenizer.from_pretrained(place)
ids = torch.tensor([[cut.convert_tokens_to_ids(x0), *cut(text, add_special_tokens=False)["input_ids"]]])
with torch.inference_mode():
    logp = torch.log_softmax(model(ids[:, :-1]).logits[0], -1).gather(1, ids[0, 1:, None])
print(float(logp.sum()))
"""


def measure(setting: Setting, reps: int, verdicts: Verdicts) -> dict:
    pofx = str(Path(sys.executable).parent / "pofx")
    peers = str(setting.peers_python)
    ask = [pofx, "score", "--text", TEXT, "-m", setting.source, "--begin", setting.begin]
    loop = [sys.executable, "-c", LOOP, str(setting.checkpoint), setting.begin, TEXT]
    runs: dict[str, list[str]] = {
        "answer: pofx score --text": ask,
        "answer: transformers, from safetensors": loop,
        "import pofx": [sys.executable, "-c", "import pofx"],
        "import torch": [sys.executable, "-c", "import torch"],
        "import torch, transformers' Auto classes": [
            sys.executable,
            "-c",
            "import torch; from transformers import AutoModelForCausalLM, AutoTokenizer",
        ],
        "import lm-eval's HFLM": [peers, "-c", "from lm_eval.models.huggingface import HFLM"],
        "import minicons' scorer": [peers, "-c", "from minicons.scorer import IncrementalLMScorer"],
    }
    found: dict[str, list[float]] = {name: [] for name in runs}
    for rep in range(reps + 1):  # the first fills caches: files, .pyc
        for what, command in runs.items():
            start = time.perf_counter()
            try:
                done = subprocess.run(
                    command, env=environment(setting.threads), capture_output=True, text=True, check=False
                )
            except FileNotFoundError:
                continue
            if done.returncode:
                say(f"  {what}: failed: {done.stderr.strip().splitlines()[-1:]}")
            elif rep:
                found[what].append(time.perf_counter() - start)
                say(f"  repetition {rep}  {what:42} {found[what][-1]:6.2f} s")
    print(f"Start-up, wall seconds of a whole process, median of {reps}\n")
    lines = [
        [what, f"{statistics.median(s):.2f}", f"{min(s):.2f}-{max(s):.2f}"] if s else [what, "failed", ""]
        for what, s in found.items()
    ]
    table(["process", "seconds", "range"], lines)
    own = found["answer: pofx score --text"]
    took = statistics.median(own) if own else float("nan")
    verdicts.check(took < 3.5, f"start: one-shot score in {took:.2f} s (goal 3.5)")
    return found
