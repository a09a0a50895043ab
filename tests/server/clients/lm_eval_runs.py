"""Runs lm-eval several times in one process, with the clients' Python: one import instead of many.

Usage: python lm_eval_runs.py TASKS < runs.json > answers.json, where TASKS is a directory of tasks. A run has the arguments
of `lm_eval run`: the model, its arguments, tasks, and the batch size.
"""

from __future__ import annotations

import json
import os
import sys

# Standard output is for the answers, whatever the libraries print.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

from lm_eval import simple_evaluate  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402

manager = TaskManager(include_path=sys.argv[1], include_defaults=False)
out = []
for run in json.load(sys.stdin):
    found = simple_evaluate(
        model=run["model"],
        model_args=run["args"],
        tasks=run["tasks"],
        task_manager=manager,
        batch_size=run["batch_size"],
        log_samples=True,
        bootstrap_iters=0,
    )
    samples = {
        task: [{"doc": s["doc"], "resps": s["resps"]} for s in sorted(rows, key=lambda s: s["doc_id"])]
        for task, rows in found["samples"].items()
    }
    out.append({"samples": samples, "results": found["results"]})
json.dump(out, answers)
answers.close()
