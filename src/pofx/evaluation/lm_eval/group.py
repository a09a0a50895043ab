"""A group of lm-eval: tasks that are evaluated together, and the metrics whose mean over the tasks is reported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pofx.evaluation.lm_eval.report import TaskMetric, TaskReport, evaluate_task
from pofx.evaluation.lm_eval.task import Task
from pofx.interactive.table import HasTable, TableColumn
from pofx.lm.model import LM


@dataclass(frozen=True)
class GroupMetric:
    """A metric whose mean over the tasks of a group is reported.

    Attributes:
        name: The metric.
        by_size: Whether a task counts by the number of its rows; otherwise all tasks count alike.
    """

    name: str
    by_size: bool = True


@dataclass(frozen=True)
class TaskGroup:
    """Tasks that are evaluated together.

    Attributes:
        name: The name of the group.
        tasks: The tasks, those of the inner groups among them, no two of one name.
        metrics: The metrics whose means are reported.
        groups: The groups inside.

    Right: `evaluate_group(lm, read_group("group.yaml"))`. Wrong: a group whose tasks lie on a server.
    """

    name: str
    tasks: tuple[Task, ...]
    metrics: tuple[GroupMetric, ...] = ()
    groups: tuple[TaskGroup, ...] = ()

    def walk(self) -> Iterator[TaskGroup]:
        """Yield the group, and then the groups inside."""
        yield self
        for group in self.groups:
            yield from group.walk()


@dataclass(frozen=True, eq=False, repr=False)
class GroupReport(HasTable):
    """The numbers of lm-eval for a group of tasks.

    Attributes:
        group: The group.
        reports: The report of each task.
    """

    group: TaskGroup
    reports: tuple[TaskReport, ...]

    @cached_property
    def metrics(self) -> dict[str, tuple[TaskMetric, ...]]:
        """The means over the tasks of each group, by the name of the group; a metric that no task has is left out."""
        of = {r.task.name: r for r in self.reports}
        return {
            g.name: tuple(
                m for wanted in g.metrics if (m := _mean(wanted, [of[t.name] for t in g.tasks])) is not None
            )
            for g in self.group.walk()
        }

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each row of each task is right by "acc", `[n]`."""
        return np.concatenate([r.right for r in self.reports])

    def table_columns(self) -> list[TableColumn]:
        """Return the columns of the tables of the tasks, and the column `task`; a cell that a task lacks is None."""
        tables = [{c.name: c for c in r.table_columns()} for r in self.reports]
        sizes = [len(table["id"].cells) for table in tables]
        kinds = {name: c.kind for table in tables for name, c in table.items()}
        names = [r.task.name for r, n in zip(self.reports, sizes) for _ in range(n)]
        columns = [TableColumn("task", "text", names)]
        for name, kind in kinds.items():
            cells = [
                x
                for table, n in zip(tables, sizes)
                for x in (table[name].cells if name in table else [None] * n)
            ]
            columns.append(TableColumn(name, kind, cells))
        return columns


def evaluate_group(lm: LM, group: TaskGroup) -> GroupReport:
    """Compute the numbers of lm-eval for each task of a group.

        weighted by size   Σ n_t m_t / Σ n_t of the metric m_t of a task with n_t rows
        not weighted       the mean of m_t over the tasks

    Args:
        lm: The model.
        group: The group.

    Raises:
        PofxError: The errors of `evaluate_task`.

    Right: `evaluate_group(lm, read_group("group.yaml")).metrics["blimp"]`. Wrong: a mean of perplexities as a perplexity.
    """
    return GroupReport(group, tuple(evaluate_task(lm, task) for task in group.tasks))


def _mean(wanted: GroupMetric, reports: Sequence[TaskReport]) -> TaskMetric | None:
    found = [(m, len(r.scores)) for r in reports for m in r.metrics if m.name == wanted.name]
    if not found:
        return None
    sizes = np.array([n for _, n in found], dtype=np.float64)
    weights = (sizes if wanted.by_size else np.ones(len(sizes))) / (
        sizes.sum() if wanted.by_size else len(sizes)
    )
    own = [m.own for m, _ in found if m.own is not None]
    return TaskMetric(
        wanted.name,
        float(weights @ [m.value for m, _ in found]),
        _error(wanted, [m.error for m, _ in found if m.error is not None], sizes),
        float(weights @ own) if len(own) == len(found) else None,
    )


def _error(wanted: GroupMetric, errors: Sequence[float], sizes: NDArray[np.float64]) -> float | None:
    """Return the standard error that lm-eval reports: from the pooled variance, or of a mean of independent tasks."""
    if len(errors) < len(sizes):
        return None
    squares = np.square(errors)
    if not wanted.by_size:
        return float(np.sqrt(squares.sum()) / len(sizes))
    free = sizes.sum() - len(sizes)
    return float(np.sqrt(((sizes - 1) * squares * sizes).sum() / free / sizes.sum())) if free else None
