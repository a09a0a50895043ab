"""A saved n-gram of unbounded order: all columns of the table in model.safetensors, the sizes in config.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.files.tensor_file import write_tensors
from pofx.models.ngram.unbounded.buckets import BUCKETS
from pofx.models.ngram.unbounded.model import UnboundedLM
from pofx.models.ngram.unbounded.smoothed import Smoothed
from pofx.models.ngram.unbounded.table import DEEP, ContextTable
from pofx.models.saved_table import Refuse, SavedTable, open_table
from pofx.vocab.vocabulary import Vocab

MODEL_TYPE = "pofx-ngram-unbounded"

_NODES = {"depth": np.int32, "parent": np.int32, "rest": np.float64}
_PAIRS = {"key": np.int64, "branches": np.int32, "events": np.int32, "to": np.int32, "prob": np.float64}
_HISTORIES = {"token": np.int32, "following": np.int32, "above": np.int32}
_WEIGHTS = {"discounts": (DEEP + 1, 4), "weights": (BUCKETS, 3)}


def to_files(lm: UnboundedLM, directory: Path) -> None:
    """Write config.json and model.safetensors, with float64 probabilities, so that reading returns the same bits.

    Args:
        lm: The model.
        directory: The directory of both files, which exists.
    """
    numbers, table = lm.numbers, lm.numbers.table
    tensors: dict[str, NDArray[Any]] = {
        "prob": numbers.prob,
        "rest": numbers.rest,
        "weights": numbers.weights,
    }
    for name in (*_NODES, *_PAIRS, *_HISTORIES, "alone", "discounts"):
        if name not in tensors:
            tensors[name] = getattr(table, name)
    write_tensors(directory / "model.safetensors", tensors)
    config = {
        "model_type": MODEL_TYPE,
        "order": None,
        "vocab_size": lm.vocab.size,
        "bos_token_id": lm.begin.id,
        "eos_token_id": lm.vocab.end,
    }
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def from_files(directory: Path, config: dict[str, Any], vocab: Vocab, begin: bool) -> UnboundedLM:
    """Read the files that `to_files` wrote. The columns are mapped from the file, so that processes share one copy.

    Args:
        directory: The directory of both files.
        config: The content of config.json.
        vocab: The vocabulary of the model.
        begin: Whether the model has an x0.

    Returns:
        The model, with the bits that were written.

    Raises:
        BadSource: A file is damaged, or disagrees with the others.
    """
    saved = open_table(directory, config, vocab, begin, "table of contexts")
    tensors = saved.tensors
    sizes = []
    for columns in (_NODES, _PAIRS, _HISTORIES):
        first, of_first = next(iter(columns.items()))
        sizes.append(len(saved.column(first, of_first, (None,))))
        for name, dtype in columns.items():
            _check(saved, name, (sizes[-1],), dtype)
    for name, shape in _WEIGHTS.items():
        _check(saved, name, shape, np.float64)
    _check(saved, "alone", (vocab.size + 1,), np.int32)
    _check_indexes(tensors, sizes, vocab.size, saved.refuse)
    mine = {name: tensors[name] for name in (*_NODES, *_PAIRS, *_HISTORIES) if name not in ("rest", "prob")}
    table = ContextTable(vocab.size, alone=tensors["alone"], discounts=tensors["discounts"], **mine)
    return UnboundedLM(vocab, Smoothed(table, tensors["weights"], tensors["prob"], tensors["rest"]), begin)


def _check(saved: SavedTable, name: str, shape: tuple[int, ...], dtype: Any) -> None:
    column = saved.column(name, dtype, shape)
    if dtype == np.float64 and not (np.isfinite(column).all() and (column >= 0).all()):
        raise saved.refuse(f"a number in {name!r} that is no probability")


def _check_indexes(
    tensors: dict[str, NDArray[Any]],
    sizes: list[int],
    size: int,
    bad: Refuse,
) -> None:
    """Check that each number that names a row names an existing row, and that each chain of parents ends at the root."""
    nodes, pairs, histories = sizes
    depth, parent, key = tensors["depth"], tensors["parent"], tensors["key"]
    if not nodes or depth[0] != 0 or parent[0] != -1:
        raise bad("no empty context")
    if not ((parent[1:] >= 0).all() and (parent[1:] < np.arange(1, nodes)).all()):
        raise bad("a context whose parent does not stand before it")
    if not (depth[1:] >= depth[parent[1:]]).all():
        raise bad("a context that is shorter than its parent")
    if pairs and not ((np.diff(key) > 0).all() and key[0] >= 0 and key[-1] < nodes * size):
        raise bad("tokens out of order")
    for name, least, most in (
        ("branches", 1, np.inf),
        ("events", 1, np.inf),
        ("to", -1 - histories, nodes - 1),
        ("token", 0, size - 1),
        ("following", -1, histories - 1),
        ("above", 0, nodes - 1),
        ("alone", -histories, nodes - 1),
    ):
        column = tensors[name]
        if len(column) and not (column.min() >= least and column.max() <= most):
            raise bad(f"a number in {name!r} out of its range")
