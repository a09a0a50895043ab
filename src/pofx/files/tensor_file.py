"""Tensors are written to a safetensors file; a full disk raises `OSError`, as for every other file."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def write_tensors(
    path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays under their names; raise `OSError` where the disk fails, for which the library has an error of its own.

    Right: `write_tensors(new / "model.safetensors", arrays)` inside `replaced_output`. Wrong: the path of a file that is
    being read.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        save_file(
            {name: np.ascontiguousarray(a) for name, a in tensors.items()},
            path,
            None if metadata is None else dict(metadata),
        )
    except SafetensorError as e:
        _, io, said = str(e).partition("I/O error: ")
        if not io:
            raise
        raise OSError(said) from None


# The types that `join_tensors` writes and `map_tensors` reads, in the order in which the library lays tensors out.
_TYPES = {
    "uint64": "U64",
    "int64": "I64",
    "float64": "F64",
    "float32": "F32",
    "int32": "I32",
    "uint8": "U8",
    "bool": "BOOL",
}
_DTYPES = {code: np.dtype(name) for name, code in _TYPES.items()}


def map_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Read the tensors of a safetensors file as arrays that stand on the file, so that processes share one copy.

    The arrays cannot be written. On systems other than POSIX, where a mapped file cannot be replaced, they are copies.

    Args:
        path: A file that other processes replace as a whole, and never write into.

    Raises:
        SafetensorError: The file is damaged.
        OSError: The file cannot be read.
        KeyError: The file has tensors of other types than `join_tensors` writes.
        ValueError: Another file took the place of the file meanwhile.

    A read past the end of a mapped file would end the process (SIGBUS). So the header is checked against the size of the
    file here, before any number is read. A file that is replaced later stays as it was for this process; a file that is
    cut short in place does not.
    """
    from safetensors import safe_open
    from safetensors.numpy import load_file

    if os.name != "posix":
        return load_file(path)
    with safe_open(path, framework="numpy"):
        pass  # the library checks that the header is well-formed, and that the tensors fill the file
    with path.open("rb") as file:
        start = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(start))
        numbers = np.memmap(file, dtype=np.uint8, mode="r").view(np.ndarray)[8 + start :]
    header.pop("__metadata__", None)
    if len(numbers) != max((t["data_offsets"][1] for t in header.values()), default=0):
        raise ValueError("the file changed while it was opened")
    out: dict[str, NDArray[Any]] = {}
    for name, tensor in header.items():
        a, b = tensor["data_offsets"]
        out[name] = numbers[a:b].view(_DTYPES[tensor["dtype"]]).reshape(tensor["shape"])
    return out


@dataclass(frozen=True)
class RawTensor:
    """A tensor that is a file of its numbers alone.

    Attributes:
        path: The file.
        dtype: The type of a number, by its name in numpy.
        shape: The shape.
    """

    path: Path
    dtype: str
    shape: tuple[int, ...]


def join_tensors(path: Path, tensors: Mapping[str, RawTensor]) -> None:
    """Write the bytes that `write_tensors` writes, of tensors that lie in files and need not fit into memory.

    Args:
        path: The file to write.
        tensors: The tensors by their names.

    Raises:
        OSError: The disk is full, or a file cannot be read.

    Right: the columns of a fit on disk. Wrong: a tensor of float16, which no fitted table has; `write_tensors` writes it.
    """
    order = list(_TYPES)
    laid = sorted(tensors.items(), key=lambda item: (order.index(item[1].dtype), item[0]))
    header, at = {}, 0
    for name, tensor in laid:
        end = at + np.dtype(tensor.dtype).itemsize * math.prod(tensor.shape)
        assert tensor.path.stat().st_size == end - at  # noqa: S101  (ours: the shape is that of the file)
        header[name] = {"dtype": _TYPES[tensor.dtype], "shape": tensor.shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)  # as the library pads, so that the numbers are aligned
    with path.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for _, tensor in laid:
            with tensor.path.open("rb") as numbers:
                shutil.copyfileobj(numbers, out, 1 << 20)
