"""Tensors into a safetensors file; a full disk is an `OSError`, as of every other file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def write_tensors(
    path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays under their names. `OSError` where the disk fails: the library has an error of its own for that.

    Right: in a directory that appears in one step. Wrong: over a file that is read.
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
