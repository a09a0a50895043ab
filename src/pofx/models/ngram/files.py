"""A saved n-gram model: the table and the probabilities in model.safetensors, the sizes in config.json.

Everything that a look-up reads stands in the file as the look-up reads it. So loading maps the file, and computes nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from pofx.algorithms.prefix_table import Packing, PrefixTable
from pofx.files.cache import is_remembered, remember
from pofx.files.tensor_file import write_tensors
from pofx.models.ngram.checks import check_numbers
from pofx.models.ngram.counting import Codes
from pofx.models.ngram.model import NgramLM
from pofx.models.ngram.quantized import BITS, Quantization, Rounded, quantize_levels
from pofx.models.ngram.smoothing import Histories, Levels
from pofx.models.saved_table import Refuse, SavedTable, open_table
from pofx.models.specs import NgramSpec
from pofx.vocab.vocabulary import Vocab

MODEL_TYPE = "pofx-ngram"
# The number of the checks of `check_numbers`, whose success is remembered. More checks need another number.
_CHECKS = 1


def to_files(lm: NgramLM, directory: Path) -> None:
    """Write config.json and model.safetensors, with float64 probabilities, so that reading returns the same bits."""
    table = lm.table
    tensors: dict[str, np.ndarray[Any, Any]] = {"words": np.ascontiguousarray(table.words)}
    for k in range(1, lm.order + 1):
        tensors |= _named("prob", k, lm.levels.prob[k])
        tensors[f"seen.{k}"] = lm.levels.seen[k]
        tensors |= _named("weight", k - 1, lm.levels.weight[k - 1])
        if k > 1:
            tensors[f"parent.{k}"] = table.parent(k)
    for w, (values, rows) in enumerate(table.outer_stages):
        tensors[f"values.{w}"], tensors[f"rows.{w}"] = values, rows
    write_tensors(directory / "model.safetensors", tensors)
    quantization = lm.levels.quantization
    write_config(directory, lm.order, lm.vocab, lm.levels.chain, lm.dtype, lm.begin.id, quantization)


def _named(name: str, k: int, column: Any) -> dict[str, np.ndarray[Any, Any]]:
    if not isinstance(column, Rounded):
        return {f"{name}.{k}": column}
    rounded: dict[str, np.ndarray[Any, Any]] = {f"{name}.{k}": column.codes, f"{name}-book.{k}": column.book}
    return rounded if name == "prob" else {**rounded, f"scale.{k}": column.scale}


def write_config(
    directory: Path,
    order: int,
    vocab: Vocab,
    chain: bool,
    dtype: str,
    begin_id: int | None,
    quantization: Quantization | None = None,
) -> None:
    """Write config.json, which says how the numbers of model.safetensors are read."""
    config: dict[str, Any] = {
        "model_type": MODEL_TYPE,
        "order": order,
        "vocab_size": vocab.size,
        "chain": chain,
        "dtype": dtype,
        "bos_token_id": begin_id,
        "eos_token_id": vocab.end,
    }
    if quantization is not None:
        config["quantization"] = asdict(quantization)
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def from_files(
    directory: Path, config: dict[str, Any], vocab: Vocab, begin: bool, content: str | None = None
) -> NgramLM:
    """Read the files that `to_files` wrote.

    Args:
        directory: The directory of the files.
        config: The content of config.json.
        vocab: The vocabulary.
        begin: Whether the model has an x0.
        content: A hash that stands for the content of all files, which the caller has compared with the files. The numbers
            of a content are checked once on a machine, and then trusted.

    Raises:
        BadSource: A file is damaged, or disagrees with the others.
    """
    saved = open_table(directory, config, vocab, begin, "n-gram table")
    bad = saved.refuse
    order = config.get("order")
    if type(order) is not int or not 1 <= order <= 16:
        raise bad(f"order {order!r:.40} in config.json")
    chain, dtype = config.get("chain"), config.get("dtype")
    if not isinstance(chain, bool) or dtype not in ("float64", "float32"):
        raise bad(f"chain {chain!r:.40} and dtype {dtype!r:.40} in config.json")
    table = _table(saved, Codes(vocab.size).packing(order))
    histories, quantization = Histories(table), _quantization(config, bad)
    uniform = {0: np.array([1.0 / vocab.size])}
    levels = Levels(uniform, {}, histories, {}, chain=chain, quantization=quantization)
    for k in range(1, order + 1):
        size = len(table) if k == order else len(table.parent(k)) if k > 1 else None
        dtype_of = np.uint8 if quantization and k > 1 else np.float64
        prob: Any = saved.column(f"prob.{k}", dtype_of, (size,))
        levels.seen[k] = saved.column(f"seen.{k}", np.bool_, (len(prob),))
        weight: Any = saved.column(f"weight.{k - 1}", dtype_of, (len(levels.prob[k - 1]),))
        if quantization and k > 1:
            scale = saved.column(f"scale.{k - 1}", np.float32, (len(weight),))
            books = [
                saved.column(f"{n}.{j}", np.float64, (1 << BITS,))
                for n, j in (("prob-book", k), ("weight-book", k - 1))
            ]
            prob = Rounded(prob, books[0], scale, k, histories)
            weight = Rounded(weight, books[1], scale, None, histories)
        levels.prob[k], levels.weight[k - 1] = prob, weight
    fact = f"n-gram numbers {_CHECKS} {content} {order} {vocab.size}"
    if content is None or not is_remembered(fact):
        check_numbers(table, levels, vocab.size, bad)
        if content is not None:
            remember(fact)
    return NgramLM(vocab, table, levels, begin, str(dtype))


def quantize_files(directory: Path, spec: NgramSpec, vocab: Vocab) -> Quantization:
    """Round the numbers of the files of a fit to 8 bits; the levels are in memory meanwhile, the n-grams are not."""
    config = json.loads((directory / "config.json").read_text())
    lm = from_files(directory, config, vocab, spec.begin)
    levels = quantize_levels(lm.levels, {k: lm.table.parent(k) for k in range(2, lm.order + 1)})
    rounded = NgramLM(vocab, lm.table, levels, spec.begin)
    # The file is mapped, so it is replaced and not overwritten.
    with TemporaryDirectory(dir=directory) as part:
        to_files(rounded, Path(part))
        for name in ("model.safetensors", "config.json"):
            (Path(part) / name).replace(directory / name)
    assert levels.quantization is not None  # noqa: S101  (ours: quantize_levels tells it)
    return levels.quantization


def _quantization(config: dict[str, Any], bad: Refuse) -> Quantization | None:
    found = config.get("quantization")
    if found is None:
        return None
    try:
        told = Quantization(**found)
        right = told.bits == BITS and 0 <= told.mean_nats <= told.max_nats < float("inf")
    except TypeError:
        right = False
    if not right:
        raise bad(f"quantization {found!r:.60} in config.json")
    return told


def _table(saved: SavedTable, packing: Packing) -> PrefixTable:
    words = saved.column("words", np.uint64, (None, packing.words))
    if "parent.2" not in saved.tensors and packing.depth > 1:
        return PrefixTable(words, packing)  # an older file, whose groups are found from the strings
    parents: dict[int, Any] = {}
    for k in range(packing.depth, 1, -1):
        parents[k] = saved.column(f"parent.{k}", np.int32, (len(words) if k == packing.depth else None,))
    stages = []
    for w in range(packing.words - 1):
        values = saved.column(f"values.{w}", np.uint64, (None,))
        stages.append((values, saved.column(f"rows.{w}", np.int32, (len(values),))))
    return PrefixTable(words, packing, parents, stages)
