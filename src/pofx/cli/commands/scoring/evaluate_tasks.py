"""pofx evaluate of a task of lm-eval, and --as lm-eval: the numbers that lm-eval computes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from pofx.cli.options import arguments
from pofx.cli.options.pages import note_of, write_noted_page
from pofx.cli.output.report_rows import write_reports
from pofx.cli.output.terms import print_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pofx.cli.options.item_files import ItemFiles
    from pofx.cli.options.model import ModelOptions
    from pofx.evaluation.lm_eval.report import TaskReport
    from pofx.evaluation.lm_eval.task import Task

_ENDINGS = (".yaml", ".yml")
# The options of the fields of rows, which a task has no use for; and the options that lm-eval has not.
_FIELDS = ("context_field", "choices_field", "label_field", "good_field", "bad_field", "group_field")
_NOT_OF_A_TASK = (*_FIELDS, "kind", "between", "begins", "given")
_NOT_OF_LM_EVAL = ("counted", "neutral", "begins", "given", "boundary")
_SPELLED = {"kind": "items", "counted": "eos"}


def read_task_named(files: tuple[str, ...]) -> Task | None:
    """Return the task of lm-eval that the files name; None for files of items.

    Raises:
        BadSource: The file is no task that pofx reads.
    """
    tasks = [f for f in files if f.lower().endswith(_ENDINGS)]
    if not tasks:
        return None
    if len(files) > 1:
        raise click.UsageError(f"FILES: expected one task of lm-eval, got {len(files)} files. Name one task.")
    from pofx.evaluation.lm_eval.prompts import read_task

    return read_task(files[0])


def refuse_with_task() -> None:
    """Refuse the options of items that stand in rows."""
    _refuse(_NOT_OF_A_TASK, "only with rows, got a task", "")


def evaluate_as_peer(
    files: tuple[str, ...],
    names: Sequence[str],
    item_files: ItemFiles,
    options: ModelOptions,
    between: str,
    out: str | None,
    as_json: bool,
    html_path: str | None,
) -> int:
    """Print the numbers that lm-eval computes for each model, and return the number of rows that hold no item."""
    from pofx.evaluation.lm_eval.report import evaluate_task
    from pofx.evaluation.lm_eval.task import task_of_items

    _refuse(_NOT_OF_LM_EVAL, "without --as, got both", " or --as")
    task, bad = read_task_named(files), 0
    if task is None:
        items, bad = item_files.read(files)
        task = task_of_items(items, between)
    else:
        refuse_with_task()
    reports, notes = [], []
    for name in names:
        lm = replace(options, name=name).load()
        reports.append(evaluate_task(lm, task))
        notes.append(note_of(name, lm))
    if out is not None:
        write_reports(names, reports, out)
    if html_path is not None:
        from pofx.evaluation.comparison import compare
        from pofx.report.html.page import task_sections

        found = compare(reports[0].right, reports[1].right) if len(reports) == 2 else None
        title = f"{' and '.join(names)} on the task {task.name}, as lm-eval computes"
        write_noted_page(html_path, title, task_sections(names, reports, found), notes)
    _print_json(names, reports) if as_json else _print(names, reports)
    return bad


def _refuse(names: Sequence[str], told: str, other: str) -> None:
    for name in names:
        if arguments.typed(name):
            option = f"--{_SPELLED.get(name, name).replace('_', '-')}"
            raise click.UsageError(f"{option}: expected {told}. Leave out {option}{other}.")


def _print_json(names: Sequence[str], reports: Sequence[TaskReport]) -> None:
    from pofx.evaluation.comparison import compare
    from pofx.report.evaluation_records import comparison_record, task_record
    from pofx.report.json_records import dumps

    for name, report in zip(names, reports):
        click.echo(dumps({"model": name, **task_record(report)}))
    if len(reports) == 2:
        click.echo(dumps(comparison_record(names, compare(reports[0].right, reports[1].right))))


def _print(names: Sequence[str], reports: Sequence[TaskReport]) -> None:
    from rich.console import Console

    from pofx.evaluation.comparison import compare
    from pofx.report.terminal.evaluation import comparison_lines
    from pofx.report.terminal.tasks import task_lines, task_table

    console = Console(highlight=False)
    for name, report in zip(names, reports):
        print_line(name, report.terms)
        for told in task_lines(report):
            console.print(told, markup=False)
        console.print(task_table(report))
    if len(reports) == 2:
        found = compare(reports[0].right, reports[1].right)
        for told in comparison_lines((names[0], names[1]), found):
            console.print(told, markup=False)
