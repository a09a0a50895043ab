"""A saved n-gram model: the table and the probabilities in model.safetensors, the sizes in config.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError

from pofx.algorithms.prefix_table import PrefixTable
from pofx.errors import BadSource
from pofx.files.tensor_file import map_tensors, write_tensors
from pofx.models.ngram.counting import Codes
from pofx.models.ngram.model import NgramLM
from pofx.models.ngram.smoothing import Histories, Levels
from pofx.vocab.vocabulary import Vocab

MODEL_TYPE = "pofx-ngram"


def to_files(lm: NgramLM, directory: Path) -> None:
    """Write config.json and model.safetensors, with float64 probabilities, so that reading returns the same bits."""
    tensors: dict[str, np.ndarray[Any, Any]] = {"words": np.ascontiguousarray(lm.table.words)}
    for k in range(1, lm.order + 1):
        tensors[f"prob.{k}"] = lm.levels.prob[k]
        tensors[f"seen.{k}"] = lm.levels.seen[k]
        tensors[f"weight.{k - 1}"] = lm.levels.weight[k - 1]
    write_tensors(directory / "model.safetensors", tensors)
    write_config(directory, lm.order, lm.vocab, lm.levels.chain, lm.dtype, lm.begin.id)


def write_config(
    directory: Path, order: int, vocab: Vocab, chain: bool, dtype: str, begin_id: int | None
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
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def from_files(directory: Path, config: dict[str, Any], vocab: Vocab, begin: bool) -> NgramLM:
    """Read the files that `to_files` wrote.

    Raises:
        BadSource: A file is damaged, or disagrees with the others.
    """
    path = directory / "model.safetensors"

    def bad(what: str) -> BadSource:
        return BadSource(
            f"{path}: expected the n-gram table that config.json describes, got {what}",
            "fit or copy the model again",
        )

    try:
        tensors = map_tensors(path)
    except (SafetensorError, OSError, ValueError, KeyError) as e:
        raise bad(f"no readable file ({str(e)[:80]})") from None
    order = config.get("order")
    if type(order) is not int or not 1 <= order <= 16:
        raise bad(f"order {order!r:.40} in config.json")
    if config.get("vocab_size") != vocab.size:
        raise bad(
            f"vocab_size {config.get('vocab_size')!r} in config.json and {vocab.size} outcomes in tokenizer.json"
        )
    for name, id_ in (("bos_token_id", vocab.size if begin else None), ("eos_token_id", vocab.end)):
        if name not in config or config[name] != id_ or isinstance(config[name], bool):
            raise bad(f"{name} {config.get(name)!r:.40} in config.json, where the other files have {id_!r}")
    chain, dtype = config.get("chain"), config.get("dtype")
    if not isinstance(chain, bool) or dtype not in ("float64", "float32"):
        raise bad(f"chain {chain!r:.40} and dtype {dtype!r:.40} in config.json")
    packing = Codes(vocab.size).packing(order)
    words = tensors.get("words")
    if words is None or words.dtype != np.uint64 or words.ndim != 2 or words.shape[1] != packing.words:
        raise bad("no table of n-grams of that order")
    if len(words) > 1 and not _rises(words):
        raise bad("n-grams out of order")
    table = PrefixTable(words, packing)
    levels = Levels({0: np.array([1.0 / vocab.size])}, {}, Histories(table), {}, chain=chain)
    for k in range(1, order + 1):
        levels.prob[k] = _column(tensors, f"prob.{k}", len(table.first(k)), np.float64, bad)
        levels.seen[k] = _column(tensors, f"seen.{k}", len(table.first(k)), np.bool_, bad)
        levels.weight[k - 1] = _column(tensors, f"weight.{k - 1}", len(table.first(k - 1)), np.float64, bad)
    newest = packing.code(words, 0)
    beyond = words >> np.uint64(packing.bits * packing.per_word)
    if len(newest) and (newest.min() < 1 or newest.max() > Codes(vocab.size).begin or beyond.any()):
        raise bad("codes outside the vocabulary")
    for k in range(1, order + 1):
        if (newest[table.first(k)][levels.seen[k]] == Codes(vocab.size).begin).any():
            raise bad("x0 as an event, which it never is")
    return NgramLM(vocab, table, levels, begin, str(dtype))


def _rises(words: np.ndarray[Any, Any]) -> bool:
    above, below = words[1:], words[:-1]
    later = np.zeros(len(above), dtype=bool)
    equal = np.ones(len(above), dtype=bool)
    for w in range(words.shape[1]):
        later |= equal & (above[:, w] > below[:, w])
        equal &= above[:, w] == below[:, w]
    return bool(later.all())


def _column(tensors: dict[str, Any], name: str, size: int, dtype: Any, bad: Any) -> Any:
    column = tensors.get(name)
    if column is None or column.shape != (size,) or column.dtype != dtype:
        raise bad(f"no column {name!r} of {size} numbers")
    if dtype == np.float64 and not (np.isfinite(column).all() and (column >= 0).all()):
        raise bad(f"a number in {name!r} that is no probability")
    return column
