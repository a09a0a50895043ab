"""Accuracy against float64: of every tool, on the same sentences and on one long document."""

from __future__ import annotations

import statistics

from score_report import Verdicts, table
from score_run import Failure, Process, Setting, Tool, say

EXACT = Tool("float64", "score_exact:Exact")
GOAL = 1e-5  # nats a token


def ask(tool: Tool, setting: Setting, requests: list[dict]) -> list[dict | None]:
    """The answers of one tool, its process ended again; None where it failed."""
    say(f"  {tool.name}")
    try:
        process = Process(tool, setting)
        out: list[dict | None] = [process.ask(terms=True, **r) for r in requests]
        process.close()
        return out
    except Failure as error:
        say(f"  {tool.name}: failed: {error}")
        return [None] * len(requests)


def errors(exact: dict, found: dict) -> dict:
    """Nats. A tool that gives sums only has no error of single tokens."""
    n = [len(t) for t in exact["terms"]]
    of_texts = [b - a for a, b in zip(exact["totals"], found["totals"])]
    tokens = None
    if not any(isinstance(t, float) for t in found["terms"]):
        tokens = [y - x for a, b in zip(exact["terms"], found["terms"]) for x, y in zip(a, b, strict=True)]
    return {
        "mean": statistics.fmean(map(abs, tokens)) if tokens else None,
        "bias": sum(of_texts) / sum(n),
        "largest": max(map(abs, tokens)) if tokens else None,
        "text": max(map(abs, of_texts)),
        "text_per_token": max(abs(e) / k for e, k in zip(of_texts, n)),
    }


def compare(
    title: str, task: str, tools: list[Tool], setting: Setting, request: dict, verdicts: Verdicts
) -> dict:
    say(f"{title}: accuracy")
    (exact,) = ask(EXACT, setting, [{"task": task, **request}])
    if exact is None:
        verdicts.check(False, f"accuracy, {title}: no float64 reference")
        return {}
    rows: dict[str, dict] = {}
    totals: dict[str, list[float]] = {}
    for tool in tools:
        batch = {"batch": tool.batches[0]} if tool.batches else {}
        (found,) = ask(tool, setting, [{"task": task, **request, **batch}])
        if found is not None:
            rows[tool.name] = errors(exact, found)
            totals[tool.name] = found["totals"]
    print(f"Accuracy, {title}: {exact['tokens']} tokens; difference from float64, nats\n")
    lines = []
    for who, e in rows.items():
        ours = max(abs(a - b) for a, b in zip(totals[who], totals[tools[0].name]))
        lines.append(
            [
                who,
                *(
                    f"{x:.1e}" if x is not None else "sums only"
                    for x in (e["mean"], e["largest"], e["text_per_token"], e["text"])
                ),
                f"{e['bias']:+.1e}",
                "" if who == tools[0].name else f"{ours:.1e}",
            ]
        )
    head = ["tool", "mean a token", "largest token", "largest text, a token", "largest text", "bias a token"]
    table([*head, "text, from pofx"], lines)
    own = rows.get(tools[0].name)
    if own is None:
        verdicts.check(False, f"accuracy, {title}: pofx was not measured")
        return rows
    verdicts.check(
        own["text_per_token"] <= GOAL and own["mean"] <= GOAL,
        f"accuracy, {title}: {own['text_per_token']:.1e} nats a token of the worst text, {own['mean']:.1e} on average "
        f"over tokens (goal {GOAL:.0e})",
    )
    for who, e in rows.items():
        if who.startswith("pofx"):
            continue
        verdicts.check(
            own["text"] <= e["text"],
            f"accuracy, {title}: worst text {own['text']:.1e} nats from float64, that of {who} {e['text']:.1e}",
        )
    return rows
