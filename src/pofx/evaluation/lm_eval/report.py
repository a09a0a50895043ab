"""The numbers of lm-eval for a task, beside those of pofx for the same strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pofx.errors import Impossible, NoBOS, PofxError, TooLong
from pofx.evaluation.lm_eval.metrics import aggregate, answers, standard_error, values
from pofx.evaluation.lm_eval.task import Task, TaskItem
from pofx.interactive.shown import Shown
from pofx.interactive.table import HasTable, TableColumn
from pofx.lm.model import LM
from pofx.queries.scoring.lm_eval_requests import Requests, TokenRequest
from pofx.queries.scoring.score import score
from pofx.queries.scoring.terms import Terms, terms
from pofx.transforms.with_begin import token_name

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TaskScores:
    """The numbers of one row; each array has an entry for each of the K strings.

    Attributes:
        item: The row.
        log_p: Log p of each string as lm-eval computes it, nats, `[K]`.
        greedy: Whether each token of the string is the likeliest one, `[K]`; None where no metric needs this.
        alone: Log p of each choice after no context, nats, `[K]`; None where no metric needs this.
        own: log P(string | context) as `score` computes it, without EOS, nats, `[K]`; None where pofx has no number.
        across: Whether a token spans the join of context and string, `[K]`.
        cut: Whether lm-eval cut the beginning of the context off, `[K]`.
    """

    item: TaskItem
    log_p: Floats
    greedy: Bools | None
    alone: Floats | None
    own: Floats | None
    across: Bools
    cut: Bools


@dataclass(frozen=True)
class TaskMetric:
    """A metric of a task.

    Attributes:
        name: The metric.
        value: The number of lm-eval.
        error: The standard error that lm-eval reports; None for a metric that is no mean.
        own: The same formula of pofx's log P; None where pofx has no number, or the metric is of likeliest tokens.
    """

    name: str
    value: float
    error: float | None
    own: float | None


@dataclass(frozen=True, eq=False, repr=False)
class TaskReport(Shown, HasTable):
    """A task of lm-eval, with the numbers that lm-eval computes for a model.

    Attributes:
        task: The task.
        scores: The numbers of each row.
        prefix: The token that lm-eval puts before a string without a context; "" where the tokenizer declares none.
        no_own: The reason why pofx has no numbers of its own; "" where it has.
        terms: The terms of pofx's own numbers.
    """

    task: Task
    scores: tuple[TaskScores, ...]
    prefix: str
    no_own: str
    terms: Terms

    @cached_property
    def metrics(self) -> tuple[TaskMetric, ...]:
        """The metrics of the task."""
        return tuple(self._metric(name) for name in self.task.metrics)

    @property
    def right(self) -> Bools:
        """Whether each row is right by "acc", `[n]`; False for a task of texts."""
        return np.array([self._is_right(s) for s in self.scores], dtype=np.bool_)

    @property
    def changes(self) -> int | None:
        """The number of rows whose answer by "acc" differs between lm-eval and pofx; None without choices or numbers."""
        if self.task.output != "multiple_choice" or self.no_own:
            return None
        return sum(
            answers("acc", s.item, s.log_p) != answers("acc", s.item, s.own)
            for s in self.scores
            if s.own is not None
        )

    @property
    def across(self) -> int:
        """The number of strings with a token that spans the join of context and string."""
        return sum(int(s.across.sum()) for s in self.scores)

    @property
    def cut(self) -> int:
        """The number of strings whose context lm-eval cut."""
        return sum(int(s.cut.sum()) for s in self.scores)

    @property
    def strings(self) -> int:
        """The number of strings."""
        return sum(len(s.log_p) for s in self.scores)

    def table_columns(self) -> list[TableColumn]:
        """Return the columns of `to_arrow`: a row for each string of each row."""
        rows = [(k, s) for s in self.scores for k in range(len(s.log_p))]
        choices = self.task.output == "multiple_choice"
        columns = [
            TableColumn("id", "text", [s.item.id for _, s in rows]),
            TableColumn("choice", "int", [k for k, _ in rows]),
            TableColumn("text", "text", [s.item.continuations[k] for k, s in rows]),
            TableColumn("lm_eval_nats", "float", [float(s.log_p[k]) for k, s in rows]),
            TableColumn("log_p_nats", "float", [None if s.own is None else float(s.own[k]) for k, s in rows]),
            TableColumn("across", "bool", [bool(s.across[k]) for k, s in rows]),
            TableColumn("cut", "bool", [bool(s.cut[k]) for k, s in rows]),
        ]
        if choices:
            columns.append(TableColumn("right", "bool", [k in s.item.gold for k, s in rows]))
            best = {id(s): answers("acc", s.item, s.log_p) for s in self.scores}
            columns.append(TableColumn("chosen", "bool", [best[id(s)] == k for k, s in rows]))
        return columns

    def _is_right(self, s: TaskScores) -> bool:
        if self.task.output == "multiple_choice":
            return answers("acc", s.item, s.log_p) in s.item.gold
        return s.greedy is not None and bool(s.greedy[0])

    def _metric(self, name: str) -> TaskMetric:
        log_p = [s.log_p for s in self.scores]
        greedy = [s.greedy for s in self.scores if s.greedy is not None] or None
        alone = [s.alone for s in self.scores if s.alone is not None] or None
        own = None if self.no_own else [s.own for s in self.scores if s.own is not None]
        theirs = values(name, self.task, log_p, greedy, alone)
        if theirs is None:
            mine = None if own is None else aggregate(name, self.task, own)
            return TaskMetric(name, aggregate(name, self.task, log_p), None, mine)
        ours = None if own is None else values(name, self.task, own, None, None)
        mine = None if ours is None else sum(ours) / len(ours)
        return TaskMetric(name, sum(theirs) / len(theirs), standard_error(theirs), mine)


def evaluate_task(lm: LM, task: Task) -> TaskReport:
    """Compute the numbers of lm-eval for a task, and pofx's own for the same strings.

    lm-eval encodes context and string together, and takes the ids after as many as the context alone has. Where a token
    spans the join, lm-eval's number is of another string than the one that the task names. Before a string without a
    context, lm-eval puts BOS or EOS, whether or not the model has learned to begin there. pofx's own number is
    log P(string | context) of `score`.

    Three properties are not reproduced: how lm-eval reads the name of a control token within a text, the rounding of its
    batches, and its cache, which mixes up two strings of one run whose tokens are equal and cut at another place.

    Args:
        lm: The model.
        task: The task.

    Returns:
        The report.

    Raises:
        BadValue: lm-eval stops at a row or at this model.
        NotText: The vocabulary cannot spell a string.
        TooLong: lm-eval stops at a string, or reads a part of it without the x0 of a model of pofx's own.

    Right: `evaluate_task(lm, read_task("task.yaml")).metrics[0].value`. Wrong: a comparison of this number with that of
    `evaluate_choices`, which has another x0 and another join.
    """
    asked = Requests(lm)
    rolling = task.output == "loglikelihood_rolling"
    wanted = {"exact_match", "acc"} if task.output == "loglikelihood" else {"exact_match"}
    greedy = bool(wanted & set(task.metrics))
    mine, no_own = _own(lm, task)
    first: list[list[TokenRequest]] = []
    for item in task.items:
        pairs = list(zip(item.contexts, item.continuations)) + [("", c) for c in item.alone]
        first.append(asked.rolling(item.continuations[0]) if rolling else [asked.pair(*p) for p in pairs])
    found = asked.log_probs([r for some in first for r in some], greedy)
    scores = []
    for item, requests, own in zip(task.items, first, mine):
        numbers = [next(found) for _ in requests]
        log_p = np.array([x for x, _ in numbers])
        k = len(item.continuations)
        scores.append(
            TaskScores(
                item,
                np.array([log_p.sum()]) if rolling else log_p[:k],
                np.array([g for _, g in numbers[:k]]) if greedy else None,
                log_p[k:] if item.alone else None,
                own,
                np.array([any(r.across for r in requests)] if rolling else [r.across for r in requests[:k]]),
                np.array([any(r.cut for r in requests)] if rolling else [r.cut for r in requests[:k]]),
            )
        )
    prefix = "" if asked.prefix is None else _name(lm, asked.prefix)
    return TaskReport(task, tuple(scores), prefix, no_own, terms(lm, 0, 0, 0, False))


def _own(lm: LM, task: Task) -> tuple[Sequence[Floats | None], str]:
    """Return log P(string | context) of `score` for each row, or the reason why there is none."""
    texts = [c for item in task.items for c in item.continuations]
    contexts = [c for item in task.items for c in item.contexts]
    try:
        records = iter(score(lm, texts, contexts))
    except (NoBOS, TooLong, Impossible) as e:
        return [None] * len(task.items), _reason(e)
    return [np.array([next(records).prefix_total for _ in item.continuations]) for item in task.items], ""


def _reason(error: PofxError) -> str:
    return error.message


def _name(lm: LM, i: int) -> str:
    return lm.begin.text or "x0" if i in (lm.begin.id, lm.vocab.size) else token_name(lm.vocab, i)
