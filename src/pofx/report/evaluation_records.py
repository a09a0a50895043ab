"""Questions with choices, minimal pairs and comparisons as records of JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pofx.evaluation.choice_report import ChoiceReport
from pofx.evaluation.comparison import Comparison
from pofx.evaluation.lm_eval.group import GroupReport
from pofx.evaluation.lm_eval.report import TaskReport
from pofx.evaluation.pairs import PairReport


def evaluation_of_items(report: ChoiceReport | PairReport) -> dict[str, Any]:
    """Return the record of a report, without its items."""
    return _pairs(report) if isinstance(report, PairReport) else _choices(report)


def task_record(report: TaskReport) -> dict[str, Any]:
    """Return the record of lm-eval's numbers for a task, without its rows."""
    return {
        "task": report.task.name,
        "output": report.task.output,
        "items": len(report.scores),
        "metrics": {m.name: {"value": m.value, "error": m.error, "pofx": m.own} for m in report.metrics},
        "left_out": list(report.task.left_out),
        "prefix": report.prefix,
        "strings": report.strings,
        "across": report.across,
        "cut": report.cut,
        "changes": report.changes,
        "no_own": report.no_own,
        "terms": asdict(report.terms),
    }


def group_records(report: GroupReport) -> list[dict[str, Any]]:
    """Return a record of the means over the tasks of each group that has some."""
    return [
        {
            "group": group.name,
            "tasks": [t.name for t in group.tasks],
            "items": sum(len(t.items) for t in group.tasks),
            "metrics": {
                m.name: {"value": m.value, "error": m.error, "pofx": m.own}
                for m in report.metrics[group.name]
            },
        }
        for group in report.group.walk()
        if report.metrics[group.name]
    ]


def comparison_record(names: Sequence[str], found: Comparison) -> dict[str, Any]:
    """Return the record of a comparison of two models."""
    return {"first": names[0], "second": names[1], **asdict(found)}


def _choices(report: ChoiceReport) -> dict[str, Any]:
    return {
        "items": len(report.items),
        "chance": report.chance,
        "end": report.end,
        "neutral": report.neutral,
        "rules": {
            r.rule: {
                "accuracy": r.accuracy,
                "right": r.right,
                "low": r.low,
                "high": r.high,
                "end_changes": r.end_changes,
            }
            for r in report.rules
        },
        "groups": {name: {"right": right, "n": n} for name, (right, n) in report.groups().items()},
        "log_loss_nats": report.calibration.log_loss,
        "brier": report.brier,
        "calibration_error": report.calibration.calibration_error,
        "bits_per_byte": report.bits_per_byte,
        "undecided": report.undecided,
        "terms": asdict(report.terms),
    }


def _pairs(report: PairReport) -> dict[str, Any]:
    return {
        "pairs": len(report.pairs),
        "end": report.end,
        "end_changes": report.end_changes,
        **{k: v for k, v in asdict(report.whole).items() if k != "group"},
        "accuracy": report.whole.accuracy,
        "groups": [{**asdict(g), "accuracy": g.accuracy} for g in report.groups],
        "begins": [asdict(b) for b in report.begins],
        "terms": asdict(report.terms),
    }
