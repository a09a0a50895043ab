"""Runs lm-eval's own class for models of Hugging Face on tasks of a directory, and prints its numbers as JSON.

Usage: python hf_runs.py SITE < request.json > answers.json, in the Python that has torch and transformers. SITE is the directory of
the packages of the clients' Python, where lm-eval is. accelerate is not there: lm-eval imports it, and uses it for models
that it loads itself, which these are not.
"""

from __future__ import annotations

import json
import os
import sys
import types

import transformers
from transformers.utils import is_accelerate_available

assert not is_accelerate_available()  # transformers remembers this, and asks for no part of accelerate
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
accelerate = types.ModuleType("accelerate")
accelerate.Accelerator = accelerate.InitProcessGroupKwargs = accelerate.find_executable_batch_size = object
sys.modules["accelerate"] = accelerate
utils = types.ModuleType("accelerate.utils")
utils.get_max_memory = dict
sys.modules["accelerate.utils"] = utils
sys.path.append(sys.argv[1])

import numpy as np  # noqa: E402
import torch  # noqa: E402
from lm_eval import simple_evaluate  # noqa: E402
from lm_eval.models.huggingface import HFLM  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402


class Tables(torch.nn.Module):
    """Logits that are sums of rows of tables: of the last token, of the one before it, and of the first one."""

    def __init__(self, tables: np.ndarray, longest: int) -> None:
        super().__init__()
        self.tables = torch.nn.Parameter(torch.tensor(tables))
        self.config = transformers.LlamaConfig(vocab_size=tables.shape[2], max_position_embeddings=longest)
        self.device = torch.device("cpu")
        self.name_or_path = "tables"

    def tie_weights(self) -> None:
        pass

    def forward(self, ids: torch.Tensor) -> types.SimpleNamespace:
        last, before, first = self.tables
        logits = last[ids] + first[ids[:, :1]]
        logits[:, 1:] += before[ids[:, :-1]]
        return types.SimpleNamespace(logits=logits)


request = json.load(sys.stdin)
manager = TaskManager(include_path=request["tasks"], include_defaults=False)
out = []
for run in request["runs"]:
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=run["tokenizer"], bos_token=run["bos"], eos_token="<eos>", unk_token="<unk>"
    )
    if run["tables"] is None:
        model = transformers.AutoModelForCausalLM.from_pretrained(
            run["checkpoint"], dtype=torch.float32
        ).eval()
    else:
        model = Tables(np.load(run["tables"]), run["longest"])
    # With its cache, lm-eval takes the first logits in place of the last ones for one of two strings with equal tokens that are
    # cut at another place, such as "the cat sat on" + " the mat" and "the cat sat on the" + " mat" of two tasks in one run.
    lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=run["batch_size"], logits_cache=False)
    found = simple_evaluate(
        model=lm, tasks=run["names"], task_manager=manager, log_samples=True, bootstrap_iters=10
    )
    samples = {
        task: [
            {"arguments": s["arguments"], "resps": s["resps"], "target": s["target"]}
            for s in sorted(rows, key=lambda s: s["doc_id"])
        ]
        for task, rows in found["samples"].items()
    }
    groups = {}
    for name in run["groups"]:
        results = simple_evaluate(model=lm, tasks=[name], task_manager=manager, bootstrap_iters=10)
        groups[name] = results["groups"][name]
    out.append({"samples": samples, "results": found["results"], "groups": groups})
json.dump(out, answers, default=str)
answers.close()
