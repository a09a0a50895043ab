"""One tool of bench/score.py in a process of its own: loads, warms up, then answers requests from standard input.

A request is a line of JSON, {"task": "A", "slice": 0, "batch": 16}; so is the answer: CPU and wall seconds, tokens,
the log-probability of each text, peak memory. This file runs under either Python: it imports no tool but its own.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))


def memory(field: str) -> int:
    """VmRSS or VmHWM (its peak) of this process, bytes; 0 where there is no /proc."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def forget_peak() -> None:
    """From here on VmHWM is the peak of what follows, not of loading."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def answer(tool, data: dict, request: dict) -> dict:
    kind = request["task"]
    part = data[kind.split("-")[0]]
    items = part if isinstance(part, dict) else part[request.get("slice", 0) % len(part)]
    if request.get("first"):
        items = items[: request["first"]]
    if request.get("characters"):
        items = [text[: request["characters"]] for text in items]
    wall, cpu = time.perf_counter(), time.process_time()
    result = tool.run(kind, items, request)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    out = {"cpu": cpu, "wall": wall, "peak": memory("VmHWM"), **result}
    terms = out.pop("terms", None)
    if terms is not None:  # one list of terms a text, or one sum where that is all a tool gives
        out["totals"] = [t if isinstance(t, float) else sum(t) for t in terms]
        if not any(isinstance(t, float) for t in terms):
            out["tokens"] = sum(map(len, terms))
        if request.get("terms"):
            out["terms"] = terms
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--tool", "--checkpoint", "--data", "--begin"):
        parser.add_argument(name, required=True)
    parser.add_argument("--source", help="what pofx.load is given, where that is not the checkpoint")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    # Tools print; the answers need a pipe of their own.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    started = time.perf_counter()
    import torch

    torch.set_num_threads(options.threads)
    module, name = options.tool.split(":")
    tool = getattr(importlib.import_module(module), name)(options)
    data = json.loads(Path(options.data).read_text(encoding="utf-8"))
    loaded = time.perf_counter() - started
    before = memory("VmRSS")
    forget_peak()
    print(json.dumps({"ready": loaded, "rss": before, **tool.about()}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(tool, data, json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
