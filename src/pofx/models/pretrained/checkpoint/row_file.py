"""The rows of a stored matrix, such as an embedding, which are read from the file when needed and take no memory."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping
from types import MappingProxyType

from pofx.errors import BadSource, require

require("torch", "hf", "a pretrained model")

import torch
from torch import Tensor

from pofx.models.pretrained.checkpoint.safetensors_header import StoredTensor

DTYPES: Mapping[str, torch.dtype] = MappingProxyType(
    {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64}
)


class RowFile:
    """A matrix `[rows, width]` in a file, whose rows are read when needed; 1,000 rows take 2 ms.

    Each row is one `pread`, and no slice of `safe_open`, which maps the file. Each row that is read from a mapping brings 16
    pages with it: after a few texts all 113 MB of SmolLM2's embedding were in memory.
    """

    def __init__(self, stored: StoredTensor) -> None:
        self.shape = stored.shape
        self._dtype = DTYPES[stored.dtype]
        self._start, self._row = stored.start, stored.size // max(stored.shape[0], 1)
        self._name = stored.file
        try:
            self._file = os.open(stored.file, os.O_RDONLY)
        except OSError as e:
            raise BadSource(
                f"{stored.file}: expected a readable file, got: {e.strerror or e}", "check its permissions"
            ) from None
        weakref.finalize(self, os.close, self._file)

    def __getitem__(self, ids: Tensor) -> Tensor:
        """Return the rows `ids[n]`: `[n, width]`, float32."""
        some, place = torch.unique(ids, return_inverse=True)
        data = bytearray().join(
            os.pread(self._file, self._row, self._start + i * self._row) for i in some.tolist()
        )
        if len(data) != len(some) * self._row:
            raise BadSource(
                f"{self._name}: expected the file as it was when it was opened, got a shorter file",
                "keep the file unchanged while it is read, and load it again",
            )
        if not data:
            return torch.empty(0, self.shape[1])
        found = torch.frombuffer(data, dtype=self._dtype).view(len(some), -1).float()
        return found[place]
