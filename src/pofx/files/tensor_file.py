"""Tensors are written to a safetensors file; a full disk raises `OSError`, as for every other file."""

from __future__ import annotations

from collections.abc import Mapping
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
