"""Tensors of a checkpoint by name, each read when it is asked for, none kept."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pofx.errors import BadSource, require

require("torch", "hf", "a pretrained model")

import torch
from torch import Tensor

from pofx.models.pretrained.checkpoint import Checkpoint


class Weights(Mapping[str, Tensor]):
    """Name to tensor, as it lies in the file: a view of the mapped file that goes when the tensor goes.

    The file is opened for each tensor (0.3 ms): one mapping for all would keep every page that was ever read in
    memory, 538 MB of SmolLM2 beside the 538 MB of laid out weights.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint

    def __getitem__(self, name: str) -> Tensor:
        from safetensors import safe_open

        stored = self._checkpoint.tensors[name]
        with safe_open(stored.file, framework="pt") as file:
            found: Tensor = file.get_tensor(name)
        if not found.dtype.is_floating_point:
            raise BadSource(
                f"{stored.file}: expected numbers with a point in {name!r}, found {found.dtype}; quantised "
                "checkpoints other than GGUF are not read"
            )
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._checkpoint.tensors)

    def __len__(self) -> int:
        return len(self._checkpoint.tensors)

    def finite(self, name: str) -> Tensor:
        """The tensor as float32; `BadSource` where it holds what is no number."""
        found = self[name]
        if not bool(torch.isfinite(found).all()):
            raise BadSource(
                f"{self._checkpoint.tensors[name].file}: expected finite weights, found others in {name!r}"
            )
        return found
