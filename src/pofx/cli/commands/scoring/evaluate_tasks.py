"""pofx evaluate of tasks of lm-eval, and --as lm-eval: the numbers that lm-eval computes."""

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
    from pofx.evaluation.items import ChoiceItem
    from pofx.evaluation.lm_eval.group import GroupReport, TaskGroup

_ENDINGS = (".yaml", ".yml")
# The options of the fields of rows, which a task has no use for; and the options that lm-eval has not.
_FIELDS = ("context_field", "choices_field", "label_field", "good_field", "bad_field", "group_field")
_NOT_OF_A_TASK = (*_FIELDS, "kind", "between", "begins", "given")
_NOT_OF_LM_EVAL = ("counted", "neutral", "begins", "given", "boundary")
_SPELLED = {"kind": "items", "counted": "eos"}


def read_tasks_named(files: tuple[str, ...]) -> TaskGroup | None:
    """Return the task or the group of tasks of lm-eval that the files name; None for files of items.

    A task alone is a group without a name.

    Raises:
        BadSource: The file is no task that pofx reads.
    """
    tasks = [f for f in files if f.lower().endswith(_ENDINGS)]
    if not tasks:
        return None
    if len(files) > 1:
        raise click.UsageError(f"FILES: expected one task of lm-eval, got {len(files)} files. Name one task.")
    from pathlib import Path

    from pofx.evaluation.lm_eval.group import TaskGroup
    from pofx.evaluation.lm_eval.group_file import is_group, read_group
    from pofx.evaluation.lm_eval.plain_yaml import read_mapping
    from pofx.evaluation.lm_eval.prompts import read_task

    if is_group(read_mapping(Path(files[0]))):
        return read_group(files[0])
    return TaskGroup("", (read_task(files[0]),))


def questions_of(group: TaskGroup) -> list[ChoiceItem]:
    """Return the rows of tasks as questions, each with the name of its task as its group where there are several."""
    if len(group.tasks) == 1:
        return group.tasks[0].questions()
    return [
        replace(item, id=f"{task.name}:{item.id}", group=task.name)
        for task in group.tasks
        for item in task.questions()
    ]


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
    from pofx.evaluation.lm_eval.group import TaskGroup, evaluate_group
    from pofx.evaluation.lm_eval.task import task_of_items

    _refuse(_NOT_OF_LM_EVAL, "without --as, got both", " or --as")
    group, bad = read_tasks_named(files), 0
    if group is None:
        items, bad = item_files.read(files)
        group = TaskGroup("", (task_of_items(items, between),))
    else:
        refuse_with_task()
    reports, notes = [], []
    for name in names:
        lm = replace(options, name=name).load()
        reports.append(evaluate_group(lm, group))
        notes.append(note_of(name, lm))
    if out is not None:
        write_reports(names, reports if group.name else [r.reports[0] for r in reports], out)
    if html_path is not None:
        from pofx.evaluation.comparison import compare
        from pofx.report.html.page import group_sections

        found = compare(reports[0].right, reports[1].right) if len(reports) == 2 else None
        noun = f"group {group.name}" if group.name else f"task {group.tasks[0].name}"
        title = f"{' and '.join(names)} on the {noun}, as lm-eval computes"
        write_noted_page(html_path, title, group_sections(names, reports, found), notes)
    _print_json(names, reports) if as_json else _print(names, reports)
    return bad


def _refuse(names: Sequence[str], told: str, other: str) -> None:
    for name in names:
        if arguments.typed(name):
            option = f"--{_SPELLED.get(name, name).replace('_', '-')}"
            raise click.UsageError(f"{option}: expected {told}. Leave out {option}{other}.")


def _print_json(names: Sequence[str], reports: Sequence[GroupReport]) -> None:
    from pofx.evaluation.comparison import compare
    from pofx.report.evaluation_records import comparison_record, group_records, task_record
    from pofx.report.json_records import dumps

    for name, report in zip(names, reports):
        for record in (*map(task_record, report.reports), *group_records(report)):
            click.echo(dumps({"model": name, **record}))
    if len(reports) == 2:
        click.echo(dumps(comparison_record(names, compare(reports[0].right, reports[1].right))))


def _print(names: Sequence[str], reports: Sequence[GroupReport]) -> None:
    from rich.console import Console

    from pofx.evaluation.comparison import compare
    from pofx.report.terminal.evaluation import comparison_lines
    from pofx.report.terminal.tasks import group_table, task_lines, task_table
    from pofx.report.visible import visible

    console = Console(highlight=False)
    for name, report in zip(names, reports):
        print_line(name, report.reports[0].terms)
        for one in report.reports:
            for told in task_lines(one):
                console.print(told, markup=False)
            console.print(task_table(one))
        for inner in report.group.walk():
            if report.metrics[inner.name]:
                console.print(f"group        {visible(inner.name)}, {len(inner.tasks)} tasks", markup=False)
                console.print(group_table(inner, report.metrics[inner.name]))
    if len(reports) == 2:
        found = compare(reports[0].right, reports[1].right)
        for told in comparison_lines((names[0], names[1]), found):
            console.print(told, markup=False)
