"""The one rule that decides which safetensors files of a directory hold the weights, to read, to check and to hash."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

from pofx.errors import BadSource
from pofx.files.json_file import read_object
from pofx.models.pretrained.checkpoint.safetensors_header import StoredTensor, read_tensors

INDEX, WEIGHTS = "model.safetensors.index.json", "model.safetensors"
MAX_INDEX, MAX_FILES = 1 << 26, 1000
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
OTHERS = (".h5", ".msgpack", ".onnx", ".tflite", ".npz", ".nemo", ".keras")
Tensors = Mapping[str, StoredTensor]


def weight_files(directory: Path) -> tuple[tuple[Path, ...], Tensors]:
    """Return the files that hold the weights, and where each tensor lies.

    The weights are in the files that model.safetensors.index.json names; without an index, in model.safetensors; without
    both, in the only safetensors file. An index beside a model.safetensors that the index does not name means two sets of
    weights. Tools disagree on which set is the model, so such a directory is refused.
    """
    there = sorted(p.name for p in directory.iterdir() if p.name.endswith(".safetensors"))
    table = _index(directory, WEIGHTS in there) if (directory / INDEX).is_file() else None
    names = _only_file(directory, there) if table is None else sorted(set(table.values()))
    out: dict[str, StoredTensor] = {}
    for name in names:
        for tensor, stored in read_tensors(directory / name).items():
            if table is not None and table.get(tensor) != name:
                raise BadSource(
                    f"{directory / name}: expected the tensors of {INDEX}, got also {tensor[:80]!r}",
                    "download the weights and their index again",
                )
            out[tensor] = stored
    missing = next((t for t in table or () if t not in out), None)
    if table is not None and missing is not None:
        raise BadSource(
            f"{directory / INDEX}: expected {missing[:80]!r} in {table[missing]}, got no tensor of that name",
            "download the weights and their index again",
        )
    if not out:
        raise BadSource(f"{directory / names[0]}: expected tensors, got none", "download the weights again")
    return tuple(directory / n for n in names), MappingProxyType(out)


def _only_file(directory: Path, there: Sequence[str]) -> list[str]:
    """Return the name of the one file of weights in a directory without an index."""
    if WEIGHTS in there:
        return [WEIGHTS]
    if not there:
        _no_weights(directory)
    if len(there) > 1:
        raise BadSource(
            f"{directory}: expected {INDEX} to say what is in {len(there)} safetensors files, got none",
            "copy the index, too",
        )
    return list(there)


def _index(directory: Path, single: bool) -> dict[str, str]:
    """Return the name of the file of each tensor, by the index."""
    index = directory / INDEX
    table = read_object(index, MAX_INDEX).get("weight_map")
    if not isinstance(table, dict) or not table:
        raise BadSource(
            f"{index}: expected a weight_map, got {type(table).__name__}", "copy or download it again"
        )
    names = set()
    for name in table.values():
        # The name must have no ".." and no "/", so that the index cannot point out of the directory.
        if not isinstance(name, str) or not re.fullmatch(r"[\w-][\w.-]{0,200}\.safetensors", name, re.ASCII):
            raise BadSource(
                f"{index}: expected names of safetensors files beside it, got {name!r:.80}",
                "download the index again",
            )
        names.add(name)
    if len(names) > MAX_FILES:
        raise BadSource(
            f"{index}: expected at most {MAX_FILES} files, got {len(names)}", "download the index again"
        )
    if single and names != {WEIGHTS}:
        raise BadSource(
            f"{directory}: expected one set of weights, got two: {WEIGHTS}, and the {len(names)} files of "
            f"{INDEX} ({min(names)[:60]}, …)",
            "move one of the two sets out of the directory",
        )
    return table


def _no_weights(directory: Path) -> NoReturn:
    names = sorted(p.name for p in directory.iterdir())
    gguf = next((n for n in names if n.lower().endswith(".gguf")), None)
    pickled = next((n for n in names if n.lower().removesuffix(".index.json").endswith(PICKLES)), None)
    other = next((n for n in names if n.lower().endswith(OTHERS)), None)
    if gguf is not None:
        raise BadSource(
            f"{directory}: expected weights as safetensors, got a GGUF file",
            f"name the GGUF file: {directory / gguf}",
        )
    if pickled is not None:
        raise BadSource(
            f"{directory}: expected weights as safetensors, got only pickles ({pickled[:60]}), which can run "
            "any code when read and are never opened",
            "use a revision of the model with safetensors",
        )
    if other is not None:
        raise BadSource(
            f"{directory}: expected weights as safetensors, got those of another framework ({other[:60]})",
            "use a revision of the model with safetensors",
        )
    raise BadSource(
        f"{directory}: expected weights as safetensors, got none",
        "copy the weights, or use a revision with safetensors",
    )
