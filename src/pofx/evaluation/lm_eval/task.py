"""A task of lm-eval with finished strings: the contexts, the continuations after them, and the right ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pofx.errors import BadValue
from pofx.evaluation.items import ChoiceItem, Pair
from pofx.evaluation.lm_eval.task_file import Output


@dataclass(frozen=True)
class TaskItem:
    """A row of a task: K strings, each after a context.

    Attributes:
        id: The name of the row.
        contexts: The context of each continuation, `[K]`; "" for none.
        continuations: The strings whose log-probabilities are computed, `[K]`.
        choices: The choices without the string before them, `[K]`, whose lengths acc_norm and acc_bytes divide by; empty
            for a task without choices.
        gold: The places of the right choices, from 0. A place outside the choices is never right.
        alone: The choices after no context, `[K]`, for acc_mutual_info; empty where this metric is not requested.
    """

    id: str
    contexts: tuple[str, ...]
    continuations: tuple[str, ...]
    choices: tuple[str, ...] = ()
    gold: tuple[int, ...] = ()
    alone: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """A task of lm-eval.

    Attributes:
        name: The name of the task.
        output: "multiple_choice"; "loglikelihood", of one string after a context; or "loglikelihood_rolling", of texts.
        items: The rows, at least one.
        metrics: The metrics that are computed.
        left_out: The metrics of the file that pofx does not compute.

    Right: `evaluate_task(lm, read_task("task.yaml"))`. Wrong: a task whose rows are made by `!function`, which is refused.
    """

    name: str
    output: Output
    items: tuple[TaskItem, ...]
    metrics: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    def questions(self) -> list[ChoiceItem]:
        """Return the rows as questions, whose choices begin with the string that lm-eval puts before them.

        Raises:
            BadValue: The task has no choices, or a row has several contexts, two equal choices, or not one right choice.
        """
        if self.output != "multiple_choice":
            raise BadValue(
                f"expected a task of multiple_choice, got {self.output}",
                "ask for the numbers of lm-eval",
                "task",
            )
        return [_question(item) for item in self.items]


def _question(item: TaskItem) -> ChoiceItem:
    if len(set(item.contexts)) > 1 or len(item.gold) != 1:
        raise BadValue(
            f"expected one context and one right choice, got {len(set(item.contexts))} and {len(item.gold)} in row "
            f"{item.id}",
            "ask for the numbers of lm-eval",
            "task",
        )
    try:
        return ChoiceItem(item.contexts[0], item.continuations, item.gold[0], item.id)
    except BadValue as e:
        raise BadValue(f"{e.message} (row {item.id})", "mend the row", e.argument) from None


def task_of_items(items: Sequence[ChoiceItem] | Sequence[Pair], between: str = " ") -> Task:
    """Return the task that lm-eval's files make of questions with choices, or of the pairs of BLiMP.

    Args:
        items: Questions, or pairs: a pair is two choices without a context, of which the first is right.
        between: The string before a choice; lm-eval puts it there even after white space and after an empty context.
    """
    out = []
    for item in items:
        pair = isinstance(item, Pair)
        choices = (item.good, item.bad) if isinstance(item, Pair) else item.choices
        context, label = ("", 0) if isinstance(item, Pair) else (item.context, item.label)
        written = tuple(between + c for c in choices)
        out.append(TaskItem(item.id, (context,) * len(choices), written, choices, (label,)))
    metrics = ("acc",) if pair else ("acc", "acc_norm")
    return Task("pairs" if pair else "questions", "multiple_choice", tuple(out), metrics)
