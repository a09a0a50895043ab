"""The numbers of lm-eval for a task as lines and a table in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table

from pofx.evaluation.lm_eval.group import TaskGroup
from pofx.evaluation.lm_eval.report import TaskMetric, TaskReport
from pofx.report.numerals import fixed_point, with_commas
from pofx.report.terminal.cells import DIM, make_table
from pofx.report.visible import visible

_NUMBERS = {
    "acc": "share right by log p",
    "acc_norm": "… / characters of the choice",
    "acc_bytes": "… / bytes of the choice",
    "acc_mutual_info": "… − log p of the choice alone",
    "exact_match": "share of right choices of likeliest tokens",
    "brier_score": "mean Σ (p − right)²",
    "perplexity": "exp(−mean log p)",
    "word_perplexity": "exp(−Σ log p / words)",
    "byte_perplexity": "exp(−Σ log p / bytes)",
    "bits_per_byte": "−Σ log2 p / bytes",
}


def task_table(report: TaskReport) -> Table:
    """Return the metrics of lm-eval, each beside the same formula of pofx's log P."""
    table = make_table()
    table.add_column("metric", no_wrap=True)
    table.add_column("number", overflow="fold", style=DIM)
    table.add_column("lm-eval", justify="right", no_wrap=True)
    table.add_column("± error", justify="right", no_wrap=True)
    table.add_column("pofx", justify="right", no_wrap=True)
    greedy = report.task.output == "loglikelihood"
    for found in report.metrics:
        number = (
            "share of strings of likeliest tokens" if greedy and found.name == "acc" else _NUMBERS[found.name]
        )
        table.add_row(
            found.name,
            number,
            fixed_point(found.value, 4),
            "" if found.error is None else fixed_point(found.error, 4),
            "" if found.own is None else fixed_point(found.own, 4),
        )
    return table


def group_table(group: TaskGroup, metrics: Sequence[TaskMetric]) -> Table:
    """Return the means over the tasks of a group, as lm-eval reports them, each beside the mean of pofx's numbers."""
    table = make_table()
    table.add_column("metric", no_wrap=True)
    table.add_column("mean of the tasks", overflow="fold", style=DIM)
    for name in ("lm-eval", "± error", "pofx"):
        table.add_column(name, justify="right", no_wrap=True)
    by_size = {m.name: m.by_size for m in group.metrics}
    for found in metrics:
        table.add_row(
            found.name,
            "each task by its rows" if by_size[found.name] else "all tasks alike",
            fixed_point(found.value, 4),
            "" if found.error is None else fixed_point(found.error, 4),
            "" if found.own is None else fixed_point(found.own, 4),
        )
    return table


def task_lines(report: TaskReport) -> Iterable[str]:
    """Yield what the numbers of a task depend on, a line each."""
    yield f"task         {visible(report.task.name)}, {report.task.output}, {with_commas(len(report.scores))} rows"
    if report.prefix:
        alone = any(not c for s in report.scores for c in s.item.contexts)
        yield f"lm-eval      {visible(report.prefix)} before a string without a context{'' if alone else ', here none'}"
    if report.across:
        yield f"joins        {_strings(report, report.across)} with a token across the join, where lm-eval reads others"
    if report.cut:
        yield f"cut          {_strings(report, report.cut)} whose context lm-eval cuts from the left"
    if report.changes is not None:
        n = with_commas(len(report.scores))
        yield f"answers      {with_commas(report.changes)} of {n} differ between lm-eval and pofx"
    if report.no_own:
        yield f"pofx         no numbers: {visible(report.no_own)}"
    if report.task.left_out:
        yield f"left out     {visible(', '.join(report.task.left_out))}"


def _strings(report: TaskReport, n: int) -> str:
    return f"{with_commas(n)} of {with_commas(report.strings)} strings"
