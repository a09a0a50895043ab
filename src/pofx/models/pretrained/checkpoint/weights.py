"""Tensors of a checkpoint by name, each read when it is asked for, none kept."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from pofx.errors import BadSource, require

require("torch", "hf", "a pretrained model")

import torch
from torch import Tensor

from pofx.models.pretrained.checkpoint.rules import Checkpoint

FLOATS = ("F16", "BF16", "F32", "F64")


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
            found: Tensor = file.get_tensor(stored.name)
        if not found.dtype.is_floating_point:
            raise BadSource(
                f"{stored.file}: expected numbers with a point in {name!r}, got {found.dtype}",
                "quantised checkpoints other than GGUF are not read",
            )
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._checkpoint.tensors)

    def __len__(self) -> int:
        return len(self._checkpoint.tensors)


def check_finite(checkpoint: Checkpoint) -> None:
    """Raise `BadSource` where a weight is NaN or infinite, in float32 too. One pass: 0.15 s for 538 MB.

    A head's bias may be -inf in some rows: those tokens have probability zero.
    """
    rows = checkpoint.config.get("vocab_size")
    weights = Weights(checkpoint)
    for name, stored in checkpoint.tensors.items():
        if not stored.size or stored.dtype not in FLOATS:
            continue
        found = weights[name]
        if name.endswith("bias") and ".layers." not in name and found.shape[-1:] == (rows,):
            impossible = torch.isneginf(found)
            if not bool(impossible.all()):
                found = found[~impossible]
        # Of a tensor with a NaN, both are NaN.
        low, high = (float(x.float()) for x in torch.aminmax(found))
        if not (math.isfinite(low) and math.isfinite(high)):
            raise BadSource(
                f"{stored.file}: expected finite weights, got {(low if not math.isfinite(low) else high)} in "
                f"{name[:80]!r}",
                "get the file again, or the model from before its training diverged",
            )
