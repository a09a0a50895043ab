"""The file beside a saved model that holds the hashes of its documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadSource
from pofx.files.tensor_file import map_tensors, write_tensors
from pofx.lm.fitted_documents import MOST, FittedDocuments


def write_record(record: FittedDocuments, path: Path) -> None:
    """Write the record, which takes at most 8 MB for the documents, and as much for the validation documents."""
    held = {"codes": record.codes, "documents": np.array([record.documents], dtype=np.int64)}
    write_tensors(path, {**held, "validation": record.validation} if len(record.validation) else held)


def read_record(path: Path) -> FittedDocuments:
    """Read a record that `write_record` wrote.

    Raises:
        BadSource: The file is damaged, or is no such record.
    """
    from safetensors import SafetensorError

    try:
        found = map_tensors(path)
        codes, documents = found["codes"], found["documents"]
        validation = found.get("validation", codes[:0])
    except (SafetensorError, OSError, ValueError, KeyError) as e:
        raise BadSource(
            f"{path}: expected hashes of documents, got no readable file ({str(e)[:80]})",
            "copy the model's directory again",
        ) from None
    if not (_are_hashes(codes) and _are_hashes(validation)) or documents.shape != (1,):
        raise BadSource(
            f"{path}: expected distinct hashes in order, got other hashes", "copy or fit the model again"
        )
    return FittedDocuments(codes, int(documents[0]), validation)


def _are_hashes(found: NDArray[Any]) -> bool:
    rising = found.ndim == 1 and bool(np.all(found[1:] > found[:-1]))
    return found.dtype == np.uint64 and rising and len(found) <= MOST
