"""Posteriors and their evaluation as tables for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.style import Style
from rich.table import Table
from rich.text import Text

from pofx.classification.evaluation import Evaluation
from pofx.report.numerals import fixed, probability, significant, whole
from pofx.report.visible import visible

DIM = Style(dim=True)
# Classes whose confusions fit a terminal as a square; above, the most frequent ones are listed.
SQUARE = 8
LISTED = 10


def posterior_table(classes: Sequence[str], log_p: NDArray[np.float64], most: int = 10) -> Table:
    """The most probable classes of one text: P(t | x), and log P(t | x) in nats."""
    table = _table()
    table.add_column("class", min_width=12, overflow="fold")
    table.add_column("P(class | text)", justify="right", no_wrap=True)
    table.add_column("log P", justify="right", no_wrap=True)
    order = np.argsort(-log_p, kind="stable")
    for i in order[:most]:
        table.add_row(_name(classes[i]), probability(float(log_p[i])), fixed(float(log_p[i])))
    if len(order) > most:
        table.add_row("…", Text(f"{whole(len(order) - most)} others", style=DIM), "")
    return table


def summary_lines(evaluation: Evaluation) -> Iterable[str]:
    """Accuracy, log-loss and calibration, a line each."""
    loss = evaluation.log_loss
    yield f"documents          {whole(evaluation.n)}"
    yield f"accuracy           {fixed(100 * evaluation.accuracy, 2)} %"
    yield f"log-loss           {significant(loss)} nats a document" + (
        "" if math.isfinite(loss) else ", for a true class of posterior 0"
    )
    yield f"calibration error  {fixed(100 * evaluation.calibration_error, 2)} %"


def calibration_table(evaluation: Evaluation) -> Table:
    """Reliability: of the texts whose best class has a posterior in a range, its mean and the share that is right."""
    table = _table()
    for heading in ("posterior", "documents", "mean", "right"):
        table.add_column(heading, justify="right", no_wrap=True)
    for b in evaluation.bins:
        table.add_row(
            f"{b.low:.1f}–{b.high:.1f}",
            whole(b.n),
            f"{fixed(100 * b.confidence, 1)} %",
            f"{fixed(100 * b.accuracy, 1)} %",
        )
    return table


def confusion_table(classes: Sequence[str], evaluation: Evaluation) -> Table:
    """The true class by row, the most probable one by column; of many classes, the pairs confused most often."""
    confusion = evaluation.confusion
    table = _table()
    if len(classes) <= SQUARE:
        table.add_column("true \\ taken for", overflow="fold")
        for name in classes:
            table.add_column(_name(name), justify="right")
        table.add_column("found", justify="right", no_wrap=True)
        for name, row, recall in zip(classes, confusion, evaluation.recall):
            table.add_row(
                _name(name), *map(_count, row), "" if np.isnan(recall) else f"{fixed(100 * recall, 1)} %"
            )
        return table
    table.add_column("true", overflow="fold")
    table.add_column("taken for", overflow="fold")
    table.add_column("documents", justify="right", no_wrap=True)
    table.add_column("of", justify="right", no_wrap=True)
    for i, j in confused(evaluation):
        table.add_row(_name(classes[i]), _name(classes[j]), whole(confusion[i, j]), whole(confusion[i].sum()))
    return table


def confused(evaluation: Evaluation) -> list[tuple[int, int]]:
    """The pairs (true, taken for) that are confused most often."""
    wrong = evaluation.confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:LISTED]
    n = len(wrong)
    return [(int(k) // n, int(k) % n) for k in order if wrong.flat[k]]


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False)


def _name(name: str) -> Text:
    return Text(visible(str(name)))


def _count(n: int) -> str:
    return whole(int(n)) if n else "."
