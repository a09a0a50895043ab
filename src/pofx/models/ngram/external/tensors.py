"""The columns of a model on disk, and the file that is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pofx.files.tensor_file import RawTensor, join_tensors
from pofx.models.ngram.external.columns import Column
from pofx.models.ngram.external.levels import StageColumns


@dataclass(frozen=True, eq=False)
class ModelColumns:
    """The columns of model.safetensors, under the names that `pofx.models.ngram.files` gives them.

    Attributes:
        words: The packed n-grams of the full order, `[n-grams, words]`.
        prob: The probability of the last token of each n-gram, by the length of the n-gram.
        seen: Whether the model has each n-gram, by the length of the n-gram.
        weight: The weight that each history gives to the next shorter history, by the length of the history.
        parent: The group, one level below, of each n-gram, by the length of the n-gram, from 2 on.
        stages: The distinct values of each word of a string but the last, by the place of the word.
    """

    words: Column
    prob: dict[int, Column]
    seen: dict[int, Column]
    weight: dict[int, Column]
    parent: dict[int, Column]
    stages: list[StageColumns]


def write_model_columns(columns: ModelColumns, path: Path) -> None:
    """Write the columns as a safetensors file; raise `OSError` where the disk is full."""
    words = columns.words
    tensors = {"words": RawTensor(words.path, words.dtype.name, (len(words), words.width or 1))}
    for name, numbered in (
        ("prob", columns.prob),
        ("seen", columns.seen),
        ("weight", columns.weight),
        ("parent", columns.parent),
        ("values", {w: stage.values for w, stage in enumerate(columns.stages)}),
        ("rows", {w: stage.rows for w, stage in enumerate(columns.stages)}),
    ):
        for k, column in numbered.items():
            tensors[f"{name}.{k}"] = RawTensor(column.path, column.dtype.name, (len(column),))
    join_tensors(path, tensors)
