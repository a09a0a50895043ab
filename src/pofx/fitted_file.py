"""The record of a model's documents as a file beside the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pofx.errors import BadSource
from pofx.fitted import MOST, FittedOn
from pofx.tensor_file import write_tensors


def write_record(record: FittedOn, path: Path) -> None:
    """Write the hashes and the number of documents; at most 8 MB."""
    write_tensors(path, {"codes": record.codes, "documents": np.array([record.documents], dtype=np.int64)})


def read_record(path: Path) -> FittedOn:
    """Read what `write_record` wrote; `BadSource` for anything else."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found = load_file(path)
        codes, documents = found["codes"], found["documents"]
    except (SafetensorError, OSError, ValueError, KeyError) as e:
        raise BadSource(
            f"{path}: expected hashes of documents, found no readable file ({str(e)[:80]})"
        ) from None
    rising = codes.ndim == 1 and bool(np.all(codes[1:] > codes[:-1]))
    if codes.dtype != np.uint64 or not rising or len(codes) > MOST or documents.shape != (1,):
        raise BadSource(
            f"{path}: expected distinct hashes in order, found others; copy or fit the model again"
        )
    return FittedOn(codes, int(documents[0]))
