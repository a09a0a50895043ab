"""The metrics of lm-eval, from log-probabilities of strings."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pofx.evaluation.lm_eval.task import Task, TaskItem

Floats = NDArray[np.float64]
_DIVIDED: Mapping[str, Callable[[str], int]] = {
    "acc": lambda choice: 1,
    "acc_norm": len,
    "acc_bytes": lambda choice: len(choice.encode()),
}


def answers(metric: str, item: TaskItem, log_p: Floats, alone: Floats | None = None) -> int:
    """Return the place of the choice with the largest number by a metric, from 0; of equal numbers, the first.

        acc              log p
        acc_norm         log p / characters of the choice
        acc_bytes        log p / bytes of the choice
        acc_mutual_info  log p − log p after no context

    Args:
        metric: The metric.
        item: The row.
        log_p: Log p of each choice, nats, `[K]`.
        alone: Log p of each choice after no context, nats, `[K]`; for acc_mutual_info.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        if alone is not None and metric == "acc_mutual_info":
            return int(np.argmax(log_p - alone))
        return int(np.argmax(log_p / np.array([float(_DIVIDED[metric](c)) for c in item.choices])))


def values(
    metric: str,
    task: Task,
    log_p: Sequence[Floats],
    greedy: Sequence[NDArray[np.bool_]] | None,
    alone: Sequence[Floats] | None,
) -> list[float] | None:
    """Return the value of each row by a metric that is a mean; None where the metric is no mean, or lacks a number.

    Args:
        metric: The metric.
        task: The task.
        log_p: Log p of the strings of each row, nats.
        greedy: Whether each token of each string is the likeliest one; None where this is not known.
        alone: Log p of the choices after no context, nats; None where they are not known.
    """
    rows = list(zip(task.items, log_p))
    if metric == "exact_match" or task.output == "loglikelihood":
        if greedy is None or metric == "perplexity":
            return None
        places = [item.gold if task.output == "multiple_choice" else (0,) for item in task.items]
        return [float(any(g[i] for i in gold)) for g, gold in zip(greedy, places)]
    if metric == "acc_mutual_info":
        if alone is None:
            return None
        return [float(answers(metric, i, x, y) in i.gold) for (i, x), y in zip(rows, alone)]
    if metric in _DIVIDED and task.output == "multiple_choice":
        return [float(answers(metric, item, x) in item.gold) for item, x in rows]
    return None


def aggregate(metric: str, task: Task, log_p: Sequence[Floats]) -> float:
    """Return a metric that is no mean over rows.

        perplexity        exp(−mean of log p)
        word_perplexity   exp(−Σ log p / words)
        byte_perplexity   exp(−Σ log p / bytes)
        bits_per_byte     −Σ log2 p / bytes
        brier_score       mean of Σ_k (p_k − 1[k is right])², p the softmax of log p

    Args:
        metric: The metric.
        task: The task.
        log_p: Log p of the strings of each row, nats.
    """
    if metric == "brier_score":
        return float(np.mean([_brier(item, x) for item, x in zip(task.items, log_p)]))
    total = sum(float(x[0]) for x in log_p)
    texts = [item.continuations[0] for item in task.items]
    if metric == "perplexity":
        return _exp(-total / len(texts))
    if metric == "word_perplexity":
        return _exp(-total / sum(len(re.split(r"\s+", t)) for t in texts))
    mean = total / max(sum(len(t.encode()) for t in texts), 1)
    return -mean / math.log(2) if metric == "bits_per_byte" else _exp(-mean)


def standard_error(found: Sequence[float]) -> float | None:
    """Return the standard error of a mean, as lm-eval reports it; None for one row."""
    n = len(found)
    return None if n < 2 else float(np.std(found, ddof=1)) / math.sqrt(n)


def _brier(item: TaskItem, log_p: Floats) -> float:
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    p[item.gold[0]] -= 1.0
    return float((p**2).sum())


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else math.inf  # the largest float is near exp(709)
