"""Posteriors of classes and the evaluation of a classifier as tables in a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from rich.text import Text

from pofx.classification.evaluation import Evaluation
from pofx.report.numerals import fixed_point, probability, significant_digits, with_commas
from pofx.report.terminal.cells import DIM, make_table
from pofx.report.visible import visible

# The confusions of at most so many classes fit a terminal as a square; of more classes, the most frequent are listed.
SQUARE = 8
LISTED = 10


def class_posterior_table(classes: Sequence[str], log_p: NDArray[np.float64], most: int = 10) -> Table:
    """Return the most probable classes of one text: P(t | x), and log P(t | x) in nats.

    Args:
        classes: The names of the classes.
        log_p: `[C]`, log P(t | x) of each class, nats.
        most: The most classes that are shown.
    """
    table = make_table()
    table.add_column("class", min_width=12, overflow="fold")
    table.add_column("P(class | text)", justify="right", no_wrap=True)
    table.add_column("log P", justify="right", no_wrap=True)
    order = np.argsort(-log_p, kind="stable")
    for i in order[:most]:
        table.add_row(_name(classes[i]), probability(float(log_p[i])), fixed_point(float(log_p[i])))
    if len(order) > most:
        table.add_row("…", Text(f"{with_commas(len(order) - most)} others", style=DIM), "")
    return table


def summary_lines(evaluation: Evaluation) -> Iterable[str]:
    """Yield the number of documents, accuracy, log-loss and calibration error, a line each."""
    loss = evaluation.log_loss
    yield f"documents          {with_commas(evaluation.n)}"
    yield f"accuracy           {fixed_point(100 * evaluation.accuracy, 2)} %"
    yield f"log-loss           {significant_digits(loss)} nats a document" + (
        "" if math.isfinite(loss) else ", for a true class of posterior 0"
    )
    yield f"calibration error  {fixed_point(100 * evaluation.calibration_error, 2)} %"


def calibration_table(evaluation: Evaluation) -> Table:
    """Return the reliability of posteriors, a row a range of the best class's posterior.

    A row holds the number of texts, their mean posterior, and the share of texts whose best class is the true one.
    """
    table = make_table()
    for heading in ("posterior", "documents", "mean", "right"):
        table.add_column(heading, justify="right", no_wrap=True)
    for b in evaluation.bins:
        table.add_row(
            f"{b.low:.1f}–{b.high:.1f}",
            with_commas(b.n),
            f"{fixed_point(100 * b.confidence, 1)} %",
            f"{fixed_point(100 * b.accuracy, 1)} %",
        )
    return table


def confusion_table(classes: Sequence[str], evaluation: Evaluation) -> Table:
    """Return the confusions of classes: a square of counts, the true class by row and the most probable class by column.

    For more than 8 classes, the table lists the pairs that are confused most often.
    """
    confusion = evaluation.confusion
    table = make_table()
    if len(classes) <= SQUARE:
        table.add_column("true \\ taken for", overflow="fold")
        for name in classes:
            table.add_column(_name(name), justify="right")
        table.add_column("found", justify="right", no_wrap=True)
        for name, row, recall in zip(classes, confusion, evaluation.recall):
            share = "" if np.isnan(recall) else f"{fixed_point(100 * recall, 1)} %"
            table.add_row(_name(name), *map(_count, row), share)
        return table
    table.add_column("true", overflow="fold")
    table.add_column("taken for", overflow="fold")
    table.add_column("documents", justify="right", no_wrap=True)
    table.add_column("of", justify="right", no_wrap=True)
    for i, j in most_confused_pairs(evaluation):
        counts = with_commas(confusion[i, j]), with_commas(confusion[i].sum())
        table.add_row(_name(classes[i]), _name(classes[j]), *counts)
    return table


def most_confused_pairs(evaluation: Evaluation) -> list[tuple[int, int]]:
    """Return the pairs (true class, most probable class) that are confused most often, at most 10, as indices of classes."""
    wrong = evaluation.confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:LISTED]
    n = len(wrong)
    return [(int(k) // n, int(k) % n) for k in order if wrong.flat[k]]


def _name(name: str) -> Text:
    return Text(visible(str(name)))


def _count(n: int) -> str:
    return with_commas(int(n)) if n else "."
