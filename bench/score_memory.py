"""Peak memory beyond the weights: 32 texts of 512 tokens at once, on the model with the larger vocabulary."""

from __future__ import annotations

import json

import score_texts
from score_report import MB, Verdicts, table
from score_run import Failure, Process, Setting, Tool, say

GOAL = 400 * MB


def measure(setting: Setting | None, quick: bool, verdicts: Verdicts) -> dict:
    import pofx

    if setting is None:
        return {}
    cutter = score_texts.Cutter(setting.checkpoint)
    joined = iter(score_texts.plain(pofx.builtin_documents()))
    n, length = (4 if quick else 32), 512
    texts = [score_texts.document(joined, cutter, length) for _ in range(n)]
    setting.data.write_text(json.dumps({"A": [texts]}), encoding="utf-8")
    say(f"memory: {setting.source}")
    try:
        process = Process(Tool("pofx", "score_pofx:Pofx"), setting)
        done = process.ask(task="A")
        process.close()
    except Failure as error:
        verdicts.check(False, f"memory: failed: {error}")
        return {}
    loaded = process.ready["rss"]
    print(f"## memory: {n} texts of {length} tokens, {setting.source}\n")
    lines = [
        ["loaded", f"{loaded / MB:,.0f}"],
        ["beyond, at the peak", f"{(done['peak'] - loaded) / MB:,.0f}"],
    ]
    table(["process", "MB"], lines)
    over = done["peak"] - loaded
    verdicts.check(over < GOAL, f"memory: {over / MB:,.0f} MB beyond the loaded model (goal {GOAL / MB:.0f})")
    return {"rss": loaded, **{k: done[k] for k in ("cpu", "peak", "tokens")}}
